#!/usr/bin/env bash
# quick
. "$(dirname "$0")/../lib.sh"
story '`dataplane: auto` takes the kernel where it has ESP, else this process; the log and `stats` say which and why, and what the kernel lacks.'

has_esp() { on gateway ip xfrm state add src 192.0.2.101 dst 192.0.2.102 proto esp spi 0x999 mode tunnel aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128 2>/dev/null; }

esp=''
if has_esp; then
	esp=yes
	on gateway ip xfrm state flush
fi
GATEWAY_PLANE=auto
gateway_start
said=$(gateway_ctl stats | sed -n 's/^data plane: //p')
if [[ -n $esp ]]; then
	[[ $said == 'kernel (auto: this kernel has ESP)' ]] || fail "stats say: $said"
	gateway_ctl stats --json | jq -e '.dataplane.counters | has("kernel_in_no_states") and has("aevents")' >/dev/null || fail "no counters of the kernel's"
else
	[[ $said == 'userspace (auto: '*'modprobe esp4'* ]] || fail "stats say: $said"
fi
expect_log gateway "is ready: .* data plane ${said%% *} \\(auto: "
client_start
client_configure
expect_up
expect_flow v4 v6
gateway_stop || fail 'the gateway did not end well'

# Asked for where there is none: one line that says what to do, and no start.
if [[ -z $esp ]]; then
	sed -i 's/^dataplane: .*/dataplane: kernel/' "$RIG/gateway/gateway.yaml"
	status=0
	on gateway "$GATEWAY_BUILD/gatewayd" -c "$RIG/gateway/gateway.yaml" 2>"$RIG/log/refused" || status=$?
	((status == 1)) || fail "gatewayd ended with $status"
	grep -q 'kernel data plane: .*modprobe esp4' "$RIG/log/refused" || fail "it said: $(tail -n 1 "$RIG/log/refused")"
fi
