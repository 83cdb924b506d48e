-- taken_ids: the sequences whose next number a row has already (pgreprise.sequences_behind). A query: it returns
-- one row a sequence.
select
  behind.table_name,
  behind.next_id,
  behind.greatest_id,
  behind.remedy
from pgreprise.sequences_behind() as behind;
