-- require_claim(row_kind, row_id, stored_run, written_run): refuses a write that names no claim, as the setting
-- require_claim asks: with run, one that does not name its run; with claim, also one to a run that a worker has claimed
-- at any time: a worker that was given up for lost would else write through the claim of the next one.
-- Raises RR030.
create or replace function pgreprise.require_claim(
  row_kind text, row_id bigint, stored_run integer, written_run bigint
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = 'off'
set jit = 'off'
as $$
<<own>>
declare
  required   constant text := (select setting.require_claim from pgreprise.setting as setting);
  is_claimed boolean;
begin
  if required = 'off' then
    return;
  end if;

  is_claimed := required = 'claim' and case require_claim.row_kind
    when 'report' then exists (
      select from pgreprise.claim as claim
       where claim.report_id = require_claim.row_id and claim.run_sequence = require_claim.stored_run
    )
    else exists (
      select from pgreprise.claim_simulation as given
       where given.simulation_id = require_claim.row_id
         and given.run_sequence = require_claim.stored_run
         and (given.computes or given.finished_at is not null)
    )
  end;
  if is_claimed or require_claim.written_run is null then
    raise exception using
      errcode = 'RR030',
      message = format(
        case when own.is_claimed
          then '%s #%s is computed by workers that claim it, and this write names no claim.'
          else 'This write to %s #%s does not name its run.' end,
        case when own.is_claimed then initcap(require_claim.row_kind) else require_claim.row_kind end,
        require_claim.row_id),
      detail = jsonb_build_object(require_claim.row_kind || '_id', require_claim.row_id,
        'run_sequence', require_claim.stored_run, 'require_claim', own.required),
      hint = format('Nothing was changed. Give %s with the write. The setting require_claim asks for it.',
        case when own.is_claimed then 'the claim_id' else 'the run_sequence that was read' end);
  end if;
end;
$$;

comment on function pgreprise.require_claim(text, bigint, integer, bigint) is
'Refuses a write that names no run or no claim, as the setting require_claim asks (RR030).';
