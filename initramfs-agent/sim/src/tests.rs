//! Small storms with fixed seeds, the whole way from power-on to the last byte.

use std::collections::BTreeSet;

use super::net::Event;
use super::world::World;
use super::*;

fn racks() -> SimConfig {
    SimConfig {
        layout: Layout::even(20, 4),
        payload_bytes: 4_000_000,
        ..SimConfig::default()
    }
}

#[test]
fn twenty_nodes_in_four_racks_share_one_copy() {
    let report = run(&racks());
    assert_eq!((report.failed, report.banned), (0, 0), "{report:?}");
    assert!(report.origin_copies <= 1.1, "{report:?}");
    assert!(report.rack_copies_max <= 1.6, "{report:?}");
    assert!(report.last_over_floor() <= 2.0, "{report:?}");
    assert!(report.duplicate_share <= 0.03, "{report:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_does_not() {
    let cfg = SimConfig {
        payload_bytes: 1_000_000,
        ..racks()
    };
    let first = run(&cfg);
    assert_eq!(first, run(&cfg));
    assert_ne!(first.trace, run(&SimConfig { seed: 2, ..cfg }).trace);
}

#[test]
fn liars_are_banned_and_nobody_else_is() {
    for seed in 1..=3 {
        let report = run(&SimConfig {
            corrupt: 2,
            seed,
            ..racks()
        });
        assert_eq!(
            (report.failed, report.banned_wrongly),
            (0, 0),
            "seed {seed}: {report:?}"
        );
        assert!(report.banned > 0, "seed {seed}: {report:?}");
    }
}

#[test]
fn a_third_that_lies_or_is_silent_costs_little_time() {
    let flat = SimConfig {
        payload_bytes: 3_000_000,
        link_bits: 4_000_000,
        ..SimConfig::default()
    };
    let racks = SimConfig {
        layout: Layout::even(48, 4),
        ..flat.clone()
    };
    for (cfg, seed) in [(&flat, 1), (&flat, 2), (&racks, 1), (&racks, 3)] {
        let cfg = SimConfig { seed, ..cfg.clone() };
        let without = run(&cfg);
        for hostility in [Hostility::Silent, Hostility::Wrong] {
            let with = run(&SimConfig {
                corrupt: cfg.layout.nodes() / 3,
                hostility,
                ..cfg.clone()
            });
            assert_eq!((with.failed, with.banned_wrongly), (0, 0), "{with:?}");
            let times = with.last_s / without.last_s;
            assert!(
                times <= 1.3,
                "{hostility:?}, seed {seed}: {times} times as long, {with:?}"
            );
        }
    }
}

#[test]
fn the_living_finish_when_some_die_and_some_are_slow() {
    for seed in 1..=3 {
        let report = run(&SimConfig {
            kill_percent: 10.0,
            slow_percent: 5.0,
            seed,
            ..racks()
        });
        assert_eq!((report.failed, report.killed), (0, 2), "seed {seed}: {report:?}");
        assert!(report.origin_copies <= 2.0, "seed {seed}: {report:?}");
    }
}

#[test]
fn one_copy_is_enough_when_the_server_goes_away() {
    let report = run(&SimConfig {
        server_gone_after_copy: true,
        ..racks()
    });
    assert_eq!(report.failed, 0, "{report:?}");
    assert!(report.origin_copies <= 1.1, "{report:?}");
}

#[test]
fn watching_a_run_changes_nothing_and_tells_how_it_went() {
    let mut moments = Vec::new();
    let report = run_watched(&racks(), 500_000, |m| moments.push(m));
    assert_eq!(report, run(&racks()));
    assert_eq!(moments.len(), (report.last_s / 0.5) as usize);
    assert!(
        moments
            .windows(2)
            .all(|m| m[0].have <= m[1].have && m[0].done <= m[1].done)
    );
    // Everything the nodes got went down their links.
    let down: f64 = moments.iter().map(|m| m.node_down).sum::<f64>() * 0.5 / report.floor_s;
    let have = moments.last().map_or(0.0, |m| m.have);
    assert!(
        have > 0.5 && down > have && down < 1.5 * have + 0.2,
        "{down} {have}"
    );
    assert!(
        moments
            .iter()
            .any(|m| m.node_up > 0.3 && m.rack_down > 0.0 && m.server_up > 0.3)
    );
}

#[test]
fn a_hand_out_does_not_overtake_what_its_connection_carries() {
    let mut world = World::new(&racks());
    // Handshakes wait in front of the nodes' links, hand-outs come from an idle one.
    for node in 0..20 {
        world.links[node * 2].pass(0, 0, 1 << 20);
    }
    let mut up = BTreeSet::new();
    loop {
        let (at, event) = world.events.pop().expect("a piece is handed out");
        match event {
            Event::Up { conn } => drop(up.insert(conn)),
            Event::Granted { conn, .. } => {
                assert!(up.contains(&conn), "handed out before the connection was up");
                break;
            }
            _ => {}
        }
        world.now = at;
        world.step(event);
    }
}

#[test]
fn the_first_node_does_not_take_the_whole_farm_for_its_rack() {
    // All is over before anybody asks the tracker a second time, whose answer would show the first node that there are racks.
    let report = run(&SimConfig {
        layout: Layout::even(100, 5),
        payload_bytes: 20_000_000,
        link_bits: 1_000_000_000,
        ..SimConfig::default()
    });
    assert_eq!(report.failed, 0, "{report:?}");
    assert!(report.rack_copies_max <= 1.1, "{report:?}");
}

#[test]
fn the_floor_is_one_copy_over_the_slowest_link() {
    let copy_us = 4_000_000 * 8 * 1_000_000 / 8_000_000;
    let flat = SimConfig {
        uplink_bits: 2_000_000,
        ..racks()
    };
    for (layout, uplink_bits, floor_us) in [
        ("20", 2_000_000, copy_us),
        ("4x5", 0, copy_us),
        ("4x5", 80_000_000, copy_us),
        ("4x5", 2_000_000, 4 * copy_us),
        ("line:4x5", 2_000_000, 4 * copy_us),
    ] {
        let cfg = SimConfig {
            layout: Layout::parse(layout).expect("a layout"),
            uplink_bits,
            ..flat.clone()
        };
        assert_eq!(cfg.floor_us(), floor_us, "{layout}, {uplink_bits} bit/s");
    }
}

#[test]
fn what_goes_to_the_end_of_a_line_passes_all_uplinks_and_is_slowed_by_each() {
    let mut world = World::new(&SimConfig {
        layout: Layout::tree(1, &[2; 3]),
        uplink_bits: 2_000_000,
        ..racks()
    });
    let (server, last) = (world.server(), 5);
    world.acknowledge(server, last, 100_000);
    let carried = |link: usize| world.links[link].bytes;
    let all = carried(world.cables.up(server));
    assert!(all > 0);
    for rack in 0..3 {
        assert_eq!(carried(world.cables.rack_in(rack)), all, "rack {rack}");
        assert_eq!(carried(world.cables.rack_out(rack)), 0, "rack {rack}");
    }
    assert_eq!(carried(world.cables.down(last)), all);
    let busy_us = |link: usize| world.links[link].begins(0);
    assert_eq!(
        busy_us(world.cables.rack_in(0)),
        4 * busy_us(world.cables.down(last))
    );
}

#[test]
fn lines_and_trees_finish_and_every_uplink_is_counted_both_ways() {
    for (layout, count) in [("line:4x5", 4), ("tree:2:5x4", 5)] {
        let report = run(&SimConfig {
            layout: Layout::parse(layout).expect("a layout"),
            ..racks()
        });
        assert_eq!((report.failed, report.banned), (0, 0), "{layout}: {report:?}");
        assert_eq!(report.uplinks.len(), count, "{layout}");
        for uplink in &report.uplinks {
            // Those behind it had to get all of it from somewhere.
            assert!(uplink.copies_in >= 0.99, "{layout}: {report:?}");
        }
        let most = report.uplinks.iter().flat_map(|u| [u.copies_in, u.copies_out]);
        assert_eq!(most.fold(0.0, f64::max), report.uplink_copies_max, "{layout}");
        assert!(report.last_over_floor() >= 1.0, "{layout}: {report:?}");
    }
}

#[test]
fn a_server_that_knows_of_a_line_sends_pieces_along_it() {
    let line = SimConfig {
        layout: Layout::tree(1, &[8; 6]),
        ..racks()
    };
    let (told, untold) = (
        run(&line),
        run(&SimConfig {
            chains_told: false,
            ..line.clone()
        }),
    );
    assert_eq!((told.failed, untold.failed), (0, 0), "{told:?}");
    assert!(told.uplink_copies_max < 1.6, "{told:?}");
    assert!(untold.uplink_copies_max > 2.0, "{untold:?}");
}
