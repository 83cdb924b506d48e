-- add_columns: a column that the routines need and an adopted table may lack. A column with a constant default
-- is added at once, whatever the size of the table.
alter table public.data_entry_emissions add column if not exists is_rollup boolean not null default false;

comment on column public.data_entry_emissions.is_rollup is
'a sum of other emissions of the entry, which totals leave out';
