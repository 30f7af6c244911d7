//! Starts a Tryton with the demo's year and keeps it until standard input closes.

use std::io::Read;

use tributary_tryton_server::{Tryton, demo_events};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (cache, folder) = (arguments.next().ok_or("no cache folder")?, arguments.next().ok_or("no folder")?);
    let accounts = arguments.next().map_or(Ok(40), |text| text.parse())?;
    let tryton = Tryton::start_with(cache.as_ref(), folder.as_ref(), &demo_events(accounts, 1))?;
    println!("url = {}\ndatabase = {}\nkey = {}", tryton.url(), tryton.database(), tryton.key());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
