{{ config(materialized='table') }}
select synthmix_source as source, count(*) as rows_used, avg(churned::int) as churn
from {{ source('analytics', 'churn_training') }}
group by 1
