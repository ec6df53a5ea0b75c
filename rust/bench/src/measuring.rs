//! Measures a load, and prints the figures for the program that started it.

use std::io;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

const WARM_UP: Duration = Duration::from_millis(300);

/// Calls one script again and again.
pub trait Load {
    /// Calls until the time is over. Returns the times that were taken.
    fn run(&mut self, seconds: Duration) -> Vec<Duration>;

    /// How many calls one of these times covers.
    fn calls_a_time(&self) -> usize {
        1
    }
}

/// Runs a load for a while, and prints a line of JSON. After the warm-up it prints `warm`, and waits for a line on
/// standard input before it measures.
pub fn measure(load: &mut dyn Load, seconds: Duration) {
    load.run(WARM_UP);
    println!("warm");
    // The other program reads the server's CPU time first.
    io::stdin().read_line(&mut String::new()).expect("a word on standard input");
    let (cpu, started) = (cpu_seconds(), Instant::now());
    let mut times = load.run(seconds);
    let (elapsed, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    times.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "far fewer calls than 2**52")]
    let calls = (times.len() * load.calls_a_time()) as f64;
    let quantile = |permille: usize| times[(times.len() - 1) * permille / 1000].as_secs_f64() * 1e6;
    println!(
        r#"{{"rate": {}, "cpu": {}, "calls": {calls}, "p50": {}, "p90": {}, "p99": {}, "p999": {}}}"#,
        calls / elapsed,
        cpu / calls * 1e6,
        quantile(500),
        quantile(900),
        quantile(990),
        quantile(999),
    );
}

/// The CPU time of all threads of this process.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("it is not negative").as_secs_f64()
}

/// The words of the command line: what, PORT, `IN_FLIGHT`, BYTES and SECONDS.
#[derive(Debug)]
pub struct Arguments {
    pub what: String,
    pub port: u16,
    pub in_flight: usize,
    pub value: Vec<u8>,
    pub seconds: Duration,
}

impl Arguments {
    /// # Panics
    ///
    /// If the arguments are wrong. The message says which are expected.
    pub fn parse(usage: &str) -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [what, port, in_flight, bytes, seconds] = &words[..] else {
            panic!("usage: {usage} PORT IN_FLIGHT BYTES SECONDS");
        };
        Self {
            what: what.clone(),
            port: port.parse().expect("PORT"),
            in_flight: in_flight.parse().expect("IN_FLIGHT"),
            value: vec![b'x'; bytes.parse().expect("BYTES")],
            seconds: Duration::from_secs_f64(seconds.parse().expect("SECONDS")),
        }
    }
}
