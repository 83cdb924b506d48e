-- looks_free(report_id, run_sequence, simulation_1_id, simulation_2_id, report_type, as_of): whether a pending report
-- looks as if it could be claimed: it is of the type that is wanted (null for any), does not wait for a retry, and no
-- worker computes one of its simulations. claim_pending_report() asks again under the locks.
create or replace function pgreprise.looks_free(
  report_id bigint,
  run_sequence integer,
  simulation_1_id bigint,
  simulation_2_id bigint,
  report_type text,
  as_of timestamptz
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Found by its key: by the time it is due, all that wait would be read.
  return coalesce((
      select retry.retry_at
        from pgreprise.retry as retry
       where retry.report_id = looks_free.report_id and retry.run_sequence = looks_free.run_sequence
    ) <= looks_free.as_of, true)
    and not exists (
      select from pgreprise.claim_simulation as given
       where given.simulation_id in (looks_free.simulation_1_id, looks_free.simulation_2_id)
         and given.open and given.computes
    )
    and (looks_free.report_type is null or exists (
      select from public.simulations as simulation
       where simulation.id = looks_free.simulation_1_id
         and simulation.population_type = looks_free.report_type
    )
    -- It is no report of any type, and ends as error.
    or not exists (select from public.simulations as simulation where simulation.id = looks_free.simulation_1_id));
end;
$$;

comment on function pgreprise.looks_free(bigint, integer, bigint, bigint, text, timestamptz) is
'Whether a pending report looks as if it could be claimed.';
