#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
story 'SIGHUP reads the configuration again: the log level changes at once, a pool that shrinks loses only who is outside.'

gateway_start log_level=info
client_start
client_configure vips=0.0.0.0 remote_ts=10.1.0.0/24
expect_up
yaml=$RIG/gateway/gateway.yaml
sed -i 's/log: {level: info}/log: {level: debug}/' "$yaml"
kill -HUP "$(rig_pid "$(gateway_process)")"
expect_log gateway 'log.level changed: at once, no SA is touched'
expect_log gateway 'configuration reloaded in [0-9]+ ms: 1 changes, 0 IKE SAs end'
expect_flow v4
# 10.10.0.1, which the client has, is not in it.
sed -i 's/addresses: 10.10.0.0\/24/addresses: 10.10.0.100-10.10.0.200/' "$yaml"
kill -HUP "$(rig_pid "$(gateway_process)")"
expect_log gateway '10.10.0.1 is not in pool clients any more'
expect_sas '.sas | length == 0' 'the client is gone'
expect_up
expect_sas '.sas[0].inner == ["10.10.0.100"]' 'its new address is in the pool'
