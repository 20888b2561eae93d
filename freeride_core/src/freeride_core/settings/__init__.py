"""Settings: one resolver for every command, the home folder, and the keys that are found in them.

In reading order:

- `resolver`: all settings of docs/settings.md: environment, `.env`, `config.toml`, default
- `home`: the home folder and its files
- `provider_tables`: the tables `[providers.NAME]` of `config.toml`
- `own_providers`: providers that a user declares there
- `limits`: what a provider gives, as the user corrects it
- `unknown`: settings that nothing reads
- `advice`: what is probably not what the user means
- `aliases`: other names for models
- `dotenv`: changes one variable in `.env`
- `unquoted`: what was copied with a value is cut off
- `key_shapes`: whose a key is, by its look
- `keys`: the keys and accounts of each provider
- `identity`: how a gateway proves that it belongs to a home
- `instances`: the gateways of a home that run now

Imports `compatible`, `privacy`, the front room and `system`.
"""
