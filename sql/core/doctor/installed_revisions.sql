-- installed_revisions: the revisions that are installed, for a database whose pgreprise.status() is missing.
-- A query: it returns one row a revision.
select installed.version_num as revision
from pgreprise.alembic_version as installed
order by installed.version_num;
