-- installed_revisions: the revisions that are installed. The doctor asks the table, because pgreprise.status() may be
-- missing, or see no row. A query: it returns one row a revision.
select installed.version_num as revision
from pgreprise.alembic_version as installed
order by installed.version_num;
