{{ config(materialized='table') }}
-- What a generator would write to the warehouse: rows like those of the customers.
with drawn as (
    select
        (hash(i * 4 + 1000001) % 100000) / 100000.0 as u,
        (hash(i * 4 + 1000002) % 100000) / 100000.0 as v,
        (hash(i * 4 + 1000003) % 100000) / 100000.0 as noise
    from range({{ var('generated_rows', 2400) }}) r(i)
)
select
    18 + floor(u * 60)::int as age,
    (20 + 180 * v + {{ var('shift', 0) }})::decimal(12, 2) as spend,
    case when u < 0.3 then 'new' when u < 0.7 then 'known' else 'old' end as segment,
    0.7 * v + 0.3 * u + 0.5 * noise < 0.7 as churned
from drawn
