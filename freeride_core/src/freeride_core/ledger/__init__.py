"""The ledger: what is known of every slot (a provider, a key or account, and a model) right now.

In reading order:

- `readiness`: `Ledger`: may this slot be asked now, and if not, when
- `slots`: what a slot is
- `quota`: what is left of each free tier
- `cooldowns`: which slots are not asked, until when, and why
- `learned`: features and sizes that a model was seen to refuse
- `nonsense`: answers in a row that served no client
- `traffic`: requests under way, and how soon models answer
- `usage`: requests and tokens of each provider, by local day
- `clients`: which clients have asked, and when last
- `key_checks`: what free checks of the keys have shown
- `accounts`: which keys are metered together
- `catalogs`: the models of every provider, fetched in the background
- `legacy`: cooldowns of older versions, taken over once
- `store`: where the state is kept

Imports `plugins`, `settings`, `events`, `privacy`, the front room and `system`.
"""
