-- imported_row: the rows that the legacy import wrote, so that a later import can tell what is new, changed or deleted
-- in the source since then, and which rows have been worked on here.
-- Checksums, because the legacy tables do not tell when a row was changed. Nothing else reads this table.
create table pgreprise.imported_row (
  table_name text not null,
  row_id text not null,
  source_checksum bytea not null,
  written_checksum bytea not null,
  constraint imported_row_pkey primary key (table_name, row_id)
);

comment on table pgreprise.imported_row is 'The rows that the legacy import wrote, with checksums of their values.';
comment on column pgreprise.imported_row.source_checksum is 'of the values that the import read';
comment on column pgreprise.imported_row.written_checksum is 'of the values, and the run, that the import left here';
