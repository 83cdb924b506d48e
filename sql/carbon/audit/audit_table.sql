-- audit_table: whether the calculator keeps an audit of entries in this database. A query for the doctor.
select to_regclass('public.audit_documents') is not null as exists;
