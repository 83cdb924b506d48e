-- answers_request(dataset, options_hash and api_version of a cache row, requested_dataset): whether an economy cache
-- row, whose other columns are those of a request, answers this request for requested_dataset. This is the only place
-- that knows how the application has written these columns over time:
-- - at first the dataset as it was asked for, and '[]' where there were no options;
-- - then, in versions that begin with e1, the dataset that it had found for the region, which the database cannot
--   know, and a hash that begins with that dataset and the version of the model;
-- - since then the dataset as it was asked for, and such a hash.
-- A hash that begins with anything else has options, so the row answers another request.
create or replace function pgreprise.answers_request(
  dataset text, options_hash text, api_version text, requested_dataset text
)
returns boolean
language sql
immutable
begin atomic
  select coalesce(
    (answers_request.options_hash = '[]' and answers_request.dataset = answers_request.requested_dataset)
    or (
      starts_with(answers_request.options_hash, '[dataset=' || answers_request.dataset || '&model_version=')
      and (
        answers_request.dataset = answers_request.requested_dataset
        or starts_with(answers_request.api_version, 'e1')
      )
    ),
    false
  ) as answers;
end;

comment on function pgreprise.answers_request(text, text, text, text) is
'Whether an economy cache row, whose other columns fit, answers a request for a dataset.';
