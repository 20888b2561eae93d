"""Quota: what is left of each free tier, and how it is spent.

In reading order:

- `quotas`: `Quotas`: has this request room there now, and what did it take
- `served`: a response that has been served, and what it tells
- `reservation`: what one attempt takes, until it is known what it took
- `claim`: what one request would take
- `meter`: all allowances that a request to one model with one key takes from
- `allowance`: one limit over one subject, and what is believed of it
- `sizes`: how many tokens a request probably has
- `window`: what is used of a limit: leaky windows and concurrency
- `rolling`: what was used in the last minute, hour or day
- `fixed`: what was used in this minute, day or month of the calendar
- `board`: what is left of every limit, for people and scripts

Imports `ledger`, `events`, the front room and `system`.
"""
