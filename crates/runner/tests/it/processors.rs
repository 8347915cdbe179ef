//! Who has to wait while a script keeps the processors busy.

use std::time::{SystemTime, UNIX_EPOCH};

use stagedoor_domain::sandbox::{Measure, ProcessLimits};

use crate::house::*;

/// All of these want the same processor in the same second; prints the time that they had of it.
const BUSY: &str = r#"#!/usr/bin/perl
use strict; use Time::HiRes 'time';
my ($begin, $many) = (BEGIN_AT, MANY);
system("taskset -p -c 0 $$ >/dev/null") == 0 or die "taskset: $?";
sub had { open(my $f, '<', "/proc/$$/schedstat") or die $!; (split ' ', <$f>)[0] / 1e9 }
my @pipes;
for (1 .. $many) {
    pipe(my $out, my $in) or die;
    if (!fork) {
        select(undef, undef, undef, $begin - time);
        my $before = had();
        while (time < $begin + 1) { my $x = 0; $x += $_ for 1 .. 10_000 }
        syswrite $in, had() - $before;
        exit;
    }
    push @pipes, $out;
}
my $all = 0;
for (@pipes) { sysread $_, my $had, 64; $all += $had }
print "$all\n";
"#;

/// What two runs that both want a processor had of it: this many processes, so nice.
async fn had(first: (u32, Option<i8>), second: (u32, Option<i8>)) -> Option<[f64; 2]> {
    let mut house = House::open();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time after 1970");
    let begin = format!("{:.3}", now.as_secs_f64() + 1.0);
    let mut outputs = Vec::new();
    for (name, (many, nice)) in [("first", first), ("second", second)] {
        let text = BUSY
            .replace("BEGIN_AT", &begin)
            .replace("MANY", &many.to_string());
        let mut plan = house.script(name, &text);
        plan.process_limits = ProcessLimits {
            nice,
            ..ProcessLimits::default()
        };
        let started = house.start(plan).await;
        if !started.enforced.holds(Measure::RunProcessors) {
            println!("skipped: the processors are not shared out by runs here");
            return None;
        }
        outputs.push(started.stdout);
    }
    let mut figures = outputs.into_iter().map(|output| {
        let text = String::from_utf8_lossy(&read_all(output)).into_owned();
        text.trim()
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {text}"))
    });
    let had = [figures.next()?, figures.next()?];
    println!("{first:?} and {second:?} had {had:?} seconds");
    Some(had)
}

#[tokio::test]
async fn w43_many_processes_of_one_run_take_no_more_of_a_processor_than_one_of_another() {
    if let Some([one, many]) = had((1, None), (8, None)).await {
        // An eighth, were they all equal.
        assert!(one > many / 3.0, "{one} and {many}");
        assert!(many > one / 3.0, "{one} and {many}");
    }
}

#[tokio::test]
async fn w43_who_is_nice_yields_to_other_runs() {
    if let Some([usual, yields]) = had((1, None), (8, Some(10))).await {
        assert!(usual > yields * 3.0, "{usual} and {yields}");
        assert!(yields > 0.0);
    }
}

/// Whoever wakes goes on at once while somebody with longer turns has the processor.
#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn w43_a_script_has_longer_turns_than_whoever_waits_for_it() {
    let turns = "#!/usr/bin/perl\nmy $a = pack('x56'); syscall(315, 0, $a, 56, 0) == 0 or die $!;\n\
                 print unpack('x24 Q', $a), \"\\n\";\n";
    let mut house = House::open();
    let plan = house.script("turns", turns);
    let nanoseconds = house.run(plan).await.text();
    match nanoseconds.trim() {
        "0" => println!("skipped: the kernel knows of no turns"),
        known => assert_eq!(known, "5000000"),
    }
}
