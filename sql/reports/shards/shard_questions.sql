-- shard_questions: what is wrong with this shard (pgreprise.shard_problems). A query: it returns one row a problem.
select
  found.problem,
  found.remedy
from pgreprise.shard_problems() as found;
