{{ config(materialized='table') }}
-- Invented customers: what they spend decides who leaves.
with drawn as (
    select
        i as id,
        (hash(i * 4 + 1) % 100000) / 100000.0 as u,
        (hash(i * 4 + 2) % 100000) / 100000.0 as v,
        (hash(i * 4 + 3) % 100000) / 100000.0 as noise
    from range(600) r(i)
)
select
    id,
    18 + floor(u * 60)::int as age,
    (20 + 180 * v)::decimal(12, 2) as spend,
    case when u < 0.3 then 'new' when u < 0.7 then 'known' else 'old' end as segment,
    0.7 * v + 0.3 * u + 0.5 * noise < 0.7 as churned
from drawn
