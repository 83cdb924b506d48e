-- counts_validated_only(report_type): whether only the validated modules of a carbon report of this type count. An
-- explore report is never validated, so all its modules count. This rule is written only here.
create or replace function pgreprise.counts_validated_only(report_type text)
returns boolean
language sql
immutable
begin atomic
  select coalesce(counts_validated_only.report_type, 'Calculator') <> 'Simulator_Explore';
end;

comment on function pgreprise.counts_validated_only(text) is
'Whether only the validated modules of a carbon report of this type count.';
