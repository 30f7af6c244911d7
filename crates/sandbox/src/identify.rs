//! How visitors become known: the form somebody fills in, or the CRM that knew them before.

use tributary_core::Time;

use crate::names::FORMS;
use crate::world::{Alias, Known, Touch, World};
use tributary_core::dice::Dice;

/// Turns one early visit of each person into a form and notes when the CRM first knew them, then adds the touches.
pub(crate) fn all(world: &mut World, dice: &mut Dice, people: &[usize], mut touches: Vec<Touch>) {
    let mut visits: Vec<Vec<usize>> = vec![Vec::new(); people.len()];
    let mut named: Vec<Option<Time>> = vec![None; people.len()];
    for (index, touch) in touches.iter().enumerate() {
        let Some(person) = touch.person else { continue };
        let place = person - people[0];
        if touch.known == Known::Device {
            visits[place].push(index);
        } else if named[place].is_none() {
            named[place] = Some(touch.at);
        }
    }
    for (place, visits) in visits.iter().enumerate() {
        let person = &mut world.people[people[place]];
        if !visits.is_empty() {
            let touch = &mut touches[visits[dice.below(visits.len().min(4))]];
            if dice.chance(0.08) {
                // A tool of the site knew the address, though no form was filled in.
                world.aliases.push(Alias {
                    a: ("email", person.email.clone()),
                    b: ("anonymous", device(person.device)),
                    seen_at: touch.at,
                });
            } else {
                touch.known = Known::Form;
                touch.kind = "form";
                touch.content = *dice.pick(&FORMS);
                named[place] = Some(named[place].map_or(touch.at, |at| at.min(touch.at)));
            }
        }
        if let Some(at) = named[place] {
            person.created_at = at;
        }
    }
    world.touches.append(&mut touches);
}

/// A cookie as tools write it.
pub(crate) fn device(number: u64) -> String {
    format!("{number:016x}")
}
