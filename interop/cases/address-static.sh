#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story 'A user always gets the inner address that is his, nobody else does; a group has its own networks.'

gateway_start top='groups: {staff: {members: ["*@staff.example.org"], local: [10.1.0.0/28]}}
users: {client@example.org: {address: [10.10.0.77, "fd10::77"]}}'
client_start
client_configure
expect_up
expect_sas '.sas[0].inner == ["10.10.0.77", "fd10::77"]' 'its own addresses'
expect_flow v4 v6
client_down
expect_up
expect_sas '.sas[0].inner == ["10.10.0.77", "fd10::77"]' 'the same ones again'
client_down
client_configure id=bob@staff.example.org vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
expect_sas '.sas[0] | .inner == ["10.10.0.1"] and .group == "staff" and .children[0].local_ts == ["10.1.0.0/28"]' 'an address of the pool, the networks of the group'
