-- add_columns: adds a column that the routines need and that an adopted table may lack. It has a constant default, so
-- adding it takes no longer on a large table.
alter table public.data_entry_emissions add column if not exists is_rollup boolean not null default false;

comment on column public.data_entry_emissions.is_rollup is
'true for a sum of other emissions of the entry, which totals leave out';
