#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'Offload that the network device cannot do: there is no tunnel, the log says why, and the client hears NO_PROPOSAL_CHOSEN.'
# needs esp
# needs kernel

gateway_start offload=crypto
client_start
client_configure
expect_refused
expect_log gateway 'offload: the network device cannot encrypt ESP'
expect_log client 'NO_PROPOSAL_CHOSEN|NO_PROP'
[[ -z $(on gateway ip xfrm state) ]] || fail 'a state was left'
