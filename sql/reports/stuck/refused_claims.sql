-- refused_claims: pending reports that no worker can claim, because a trigger or constraint of the host refuses that
-- they become running. A question of the doctor.
select
  retry.report_id,
  retry.because
from pgreprise.retry as retry
where retry.because is not null
order by retry.report_id;
