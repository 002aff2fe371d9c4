#!/usr/bin/env bash
. "$(dirname "$0")/../pair.sh"
story 'BGP: the virtual address is on a dummy interface, BIRD announces it while it is there; a takeover moves the route.'

# Outside, a service address that belongs to no link; clients know only that one.
GATEWAY_V4=203.0.113.2
eval "$(declare -f pair_config | sed '1s/pair_config/pair_config_on_link/')"
pair_config() {
	pair_config_on_link "$1" | sed -e "s|outside: {address: .*|outside: {address: $GATEWAY_V4/32, interface: dummy0}|" \
		-e '/outside6:/d'
}

# bird_start NAMESPACE AS CONFIGURATION...
bird_start() {
	local ns=$1 dir=$RIG/$1/bird
	mkdir -p "$dir"
	{
		printf 'log stderr all;\nrouter id %s;\n' "$2"
		printf 'protocol device { scan time 1; }\n'
		cat
	} >"$dir/conf"
	rig_start "bird-$ns" "$ns" bird -f -c "$dir/conf" -s "$dir/ctl" -P "$dir/pid"
	wait_for 5 "BIRD in $ns" test -S "$dir/ctl"
}
speaker() {
	# Not every kernel has dummies; both ends of a cable here are one, too.
	ip -n "$RIG_ID-$1" link add dummy0 type dummy 2>/dev/null || ip -n "$RIG_ID-$1" link add dummy0 type veth peer name dummy1
	ip -n "$RIG_ID-$1" link set dummy0 up
	ip -n "$RIG_ID-$1" link set dummy1 up 2>/dev/null || true
	bird_start "$1" "$2" <<-EOT
		protocol direct { ipv4; interface "dummy0"; }
		protocol bgp upstream {
			local $2 as 65001;
			neighbor $ROUTER_V4 as 65000;
			connect retry time 1;
			connect delay time 1;
			ipv4 { import none; export where source = RTS_DEVICE; };
		}
	EOT
}
# Where the router sends what is for the gateway.
way() { on router ip route get "$GATEWAY_V4" 2>/dev/null | sed -n 's/.* via \([0-9.]*\).*/\1/p'; }
way_is() { [[ $(way) == "$1" ]]; }
# The node's own address on the road.
of() { if [[ $1 == a ]]; then echo "$NODE_OUT_A"; else echo "$NODE_OUT_B"; fi; }

bird_start router 198.51.100.1 <<-EOT
	protocol kernel { ipv4 { export all; }; }
	protocol bgp a { local $ROUTER_V4 as 65000; neighbor $NODE_OUT_A as 65001; passive; ipv4 { import all; export none; }; }
	protocol bgp b { local $ROUTER_V4 as 65000; neighbor $NODE_OUT_B as 65001; passive; ipv4 { import all; export none; }; }
EOT
speaker a "$NODE_OUT_A"
speaker b "$NODE_OUT_B"
pair_start
expect_eventually 15 'a route to the active node' way_is "$(of "$(active)")"
pair_connect gateway="$GATEWAY_V4"
pair_watch

was=$(active)
flow_mark kill
node_kill "$was"
expect_takeover "$was"
expect_eventually 10 'the route to move' way_is "$(of "$(other "$was")")"
expect_role "$was" standby
expect_synced

was=$(active)
flow_mark switchover
node_ctl "$was" ha switchover || fail 'the switchover was refused'
expect_takeover "$was"
expect_eventually 10 'the route to move back' way_is "$(of "$(other "$was")")"
expect_synced
pair_unnoticed 3000
# Nobody is left: nothing is announced any more.
was=$(standby)
node_stop "$was"
node_stop "$(other "$was")"
expect_eventually 10 'the route to go' way_is ''
