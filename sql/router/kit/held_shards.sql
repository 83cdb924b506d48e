-- held_shards: the logical shards that a server holds, one a row; those that are leaving are still its own.
select known.logical_shard
from pgreprise.logical_shard as known
where known.state in ('held', 'leaving')
order by known.logical_shard;
