"""The declarative provider for OpenAI-compatible upstreams: a package gives data, these modules give the behaviour.

In reading order:

- `provider`: `CompatibleProvider`, a complete `Provider` made of the parts below
- `wire`: from a call to an upstream request, and from an answer to a reading
- `history`: members of messages that an upstream refuses or needs
- `recent_histories`: the histories that were looked over last
- `catalog`: the dated list of models, the live one, and canonical names
- `probe`: the request that shows whether a key is valid
- `errors`: an error body in one shape, whichever shape it came in
- `quotations`: JSON that an error quotes as text
- `rules`: what words, codes and a status mean, as data
- `quota_headers`: what good responses say is left of a limit
- `quota_texts`: what an error says of a limit in numbers
- `usual_rules`: the rules that hold for every upstream, after a package's own
- `wordings`: how upstreams put what the usual rules read
- `retry_after`: when an upstream says that it can be asked again
- `midnight`: daily quotas that return at midnight of a time zone

Imports the front room and `system`.
"""
