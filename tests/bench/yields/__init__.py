"""How many answers a scheduler gets out of scripted upstreams: `scripts/bench yield`.

All of it passes in virtual time: nothing is sent, nothing sleeps, and a seed decides every number.

In reading order: `windows` count as upstreams do, `demand` is what clients ask for, `answers` are what schedulers are told, and
`upstream` admits and refuses. `scheduler` is the protocol; `round_robin`, `react_only`, `omniscient` and `ledger` keep it. The last
is the gateway's own, which reads `wordings`: refusals as they arrive. `roster` has the upstreams of the shipped packages, and
`traffic` makes requests. `trial` plays one scheduler, `tally` counts, `cases` lists what is
played, and `report` prints it.
"""
