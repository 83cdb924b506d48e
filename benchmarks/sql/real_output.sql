-- Outputs in the shape of real ones: a few, of which each row takes one as it is stored.
create schema bench;

create table bench.real_output (number bigint primary key, output json not null);

create function bench.real_output(number bigint) returns json language sql stable
return (select stored.output from bench.real_output as stored where stored.number = $1 % 4);
