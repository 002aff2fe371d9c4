#!/usr/bin/env bash
# Draws what a demo measured: round-trip time over the run with the events marked, and below each event from near, packet
# by packet. Writes failover.svg, failover.png and the data that they were drawn from.
#
#   interop/demo/plot.sh RIG OUT CLIENT PLANE MESSAGES
#
# RIG has flow.json and series of tests/rig/flow_meter, log/ping of `ping -D`.

set -euo pipefail
rig=$1 out=$2 client=$3 plane=$4 messages=$5

begin=$(jq .begin "$rig/flow.json")
# Answers of the ping by the second of the run.
sed -n 's/^\[\([0-9.]*\)\] .*time=\([0-9.]*\) ms$/\1 \2/p' "$rig/log/ping" | awk -v begin="$begin" '{ printf "%.3f %s\n", $1 - begin, $2 }' >"$out/ping.dat"
# Packets of the flow: second of sending, milliseconds under way; and the lost ones.
for way in up down; do
	awk -v way="$way" '$1 == way && $3 != "-" { print $2, $3 }' "$rig/series" >"$out/$way.dat"
	awk -v way="$way" '$1 == way && $3 == "-" { print $2, 1 }' "$rig/series" >"$out/$way-lost.dat"
	# An empty file is none to gnuplot.
	[[ -s $out/$way-lost.dat ]] || echo '-1 1' >"$out/$way-lost.dat"
done
cp "$rig/flow.json" "$out/"

text_of() {
	case $1 in
	kill) printf 'SIGKILL to the active' ;;
	hang) printf 'SIGSTOP to its successor' ;;
	switchover) printf 'planned switchover' ;;
	esac
}
seconds=$(jq .seconds "$rig/flow.json")
lost=$(jq '.up.lost + .down.lost' "$rig/flow.json") sent=$(jq '.up.sent + .down.sent' "$rig/flow.json")

# for_terminal TERMINAL FILE SCALE: of letters and points
for_terminal() {
	local f9=$((9 * $3)) f10=$((10 * $3)) f15=$((15 * $3))
	cat <<-EOT
		set terminal $1
		set output "$2"
		set multiplot
		set border 3 lc rgb "#888888"
		set tics nomirror textcolor rgb "#333333"
		set grid y lc rgb "#dddddd"
		set logscale y
		set label 1 "Three failovers, one tunnel, ${messages/#0/no} IKE message$( ((messages == 1)) || ((messages == 0)) || echo s) about it" at screen 0.06, 0.955 font ",$f15"
		set label 2 "$client, $plane plane; $lost of $sent packets lost in all" at screen 0.06, 0.915 font ",$f10" tc rgb "#666666"
		set origin 0, 0.44
		set size 1, 0.46
		set lmargin at screen 0.075
		set rmargin at screen 0.975
		set xrange [0:$seconds]
		set yrange [0.05:1000]
		set ylabel "round trip of ping, ms"
		set xlabel "seconds" offset 0, 0.6
		unset key
	EOT
	local i=0 name at gap_up gap_down lost_up lost_down
	while read -r name at _; do
		i=$((i + 1))
		printf 'set arrow %d from %s, graph 0 to %s, graph 1 nohead lc rgb "#c0392b" dt 2\n' "$i" "$at" "$at"
		printf 'set label %d "%s" at %s, graph 0.94 offset 0.6, 0 tc rgb "#c0392b" font ",%d"\n' $((i + 10)) "$(text_of "$name")" "$at" "$f10"
	done < <(jq -r '.marks[] | select(.name | startswith("after-") | not) | "\(.name) \(.at_s)"' "$rig/flow.json")
	printf 'plot "%s/ping.dat" with points pt 7 ps %s lc rgb "#2c3e50"\n' "$out" "0.3"
	printf 'unset arrow\nunset label\nset ylabel "one way, ms"\nset xlabel "milliseconds from the event"\n'
	i=0
	while read -r name at gap_up gap_down lost_up lost_down; do
		local span=$([[ $name == hang ]] && echo 400 || echo 300)
		[[ $name != switchover ]] || span=60
		cat <<-EOT
			set origin $(awk -v i="$i" 'BEGIN { print i / 3 }'), 0
			set size 0.333, 0.42
			set lmargin at screen $(awk -v i="$i" 'BEGIN { print 0.075 + i * 0.31 }')
			set rmargin at screen $(awk -v i="$i" 'BEGIN { print 0.075 + i * 0.31 + 0.265 }')
			set xrange [-$((span / 5)):$span]
			set xtics $((span > 100 ? 100 : 20))
			set yrange [0.02:1000]
			set arrow 1 from 0, graph 0 to 0, graph 1 nohead lc rgb "#c0392b" dt 2
			set label 1 "$(text_of "$name")" at graph 0.02, 1.06 font ",$f10"
			set label 2 "gap $gap_up ms up, $gap_down ms down" at graph 0.98, 0.93 right font ",$f9" tc rgb "#333333"
			set label 3 "lost $lost_up and $lost_down packets" at graph 0.98, 0.85 right font ",$f9" tc rgb "#333333"
			$( ((i == 0)) && echo "set key at graph 0.98, 0.76 right font \",$f9\" samplen 0.5" || echo 'unset key; unset ylabel')
			plot "$out/up.dat" using ((\$1-$at)*1000):2 with points pt 7 ps 0.3 lc rgb "#2980b9" title "to the LAN", \\
				"$out/down.dat" using ((\$1-$at)*1000):2 with points pt 7 ps 0.3 lc rgb "#27ae60" title "to the client", \\
				"$out/up-lost.dat" using ((\$1-$at)*1000):(0.035) with points pt 2 ps 0.4 lc rgb "#e74c3c" title "lost", \\
				"$out/down-lost.dat" using ((\$1-$at)*1000):(0.025) with points pt 2 ps 0.4 lc rgb "#e74c3c" notitle
			unset label
			unset arrow
		EOT
		i=$((i + 1))
	done < <(jq -r '.marks[] | select(.name | startswith("after-") | not) |
		"\(.name) \(.at_s) \(.up.gap_ms | round) \(.down.gap_ms | round) \(.up.lost) \(.down.lost)"' "$rig/flow.json")
	printf 'unset multiplot\n'
}
for_terminal 'svg size 960,620 font "sans-serif,11" background "white"' "$out/failover.svg" 1 >"$out/failover.gp"
gnuplot "$out/failover.gp"
for_terminal 'pngcairo size 1920,1240 font "sans-serif,22" background "white" linewidth 2 pointscale 2' "$out/failover.png" 2 | gnuplot
