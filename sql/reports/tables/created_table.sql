-- created_table: the tables of schema public that the upgrade created, so that a downgrade
-- never drops one that it found. Rows are written by steps/adopt_tables.
create table pgreprise.created_table (
  table_name text not null,
  constraint created_table_pkey primary key (table_name)
);

comment on table pgreprise.created_table is 'The tables in public that pgreprise created; it found the others.';
