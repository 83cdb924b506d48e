-- registered_routines: what the migrations recorded about each routine that they installed.
-- The doctor compares it with the files. A query: it returns one row a routine, ordered by name.
select
  registered.name,
  registered.version,
  registered.routine,
  registered.checksum
from pgreprise.routine_version as registered
order by registered.name;
