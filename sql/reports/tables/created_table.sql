-- created_table: the tables of schema public that the upgrade created, so that a downgrade
-- never drops one that it found. Runs before the tables of public are created.
create table pgreprise.created_table (
  table_name text not null,
  constraint created_table_pkey primary key (table_name)
);

comment on table pgreprise.created_table is 'The tables in public that pgreprise created; it found the others.';

insert into pgreprise.created_table (table_name)
select wanted.table_name
  from (values ('simulations'), ('report_outputs'), ('reform_impact')) as wanted (table_name)
 where to_regclass('public.' || wanted.table_name) is null;
