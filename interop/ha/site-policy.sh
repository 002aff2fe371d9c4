#!/usr/bin/env bash
# quick
# needs esp
# needs kernel
. "$(dirname "$0")/../pair.sh"
story 'A network behind clients that contains the addresses of the sync link: the nodes go on talking past their own policies, and one takes over from the other.'

PAIR_CHILD='remote: [10.10.0.0/16, "fd10::/64", 10.255.0.0/24]'
pair_begin
[[ $(on "$(active)" ip xfrm policy) == *'dst 10.255.0.0/24'* ]] || fail 'that network has no guard'
# Anything else of it passes neither in clear nor at all.
! on "$(active)" ping -q -n -c 1 -W 1 "$([[ $(active) == a ]] && printf '%s' "$NODE_SYNC_B" || printf '%s' "$NODE_SYNC_A")" >/dev/null ||
	fail 'a ping passes between the nodes'
was=$(active)
node_kill "$was"
expect_takeover "$was"
pair_unnoticed
