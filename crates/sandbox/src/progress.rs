//! The stages that deals went through, once it is known how they ended.

use tributary_core::Time;

use crate::grow::second;
use crate::names::STAGES;
use crate::world::{Outcome, Stage, World};
use tributary_core::dice::Dice;

/// Writes the stage history of all deals.
pub(crate) fn stages(world: &mut World) {
    let end = world.plan.end();
    for index in 0..world.deals.len() {
        let mut dice = Dice::new(world.plan.seed, "stages", index);
        let deal = &mut world.deals[index];
        // A lost deal may be lost at any stage.
        let reached = if deal.outcome == Outcome::Lost { 1 + dice.below(STAGES.len()) } else { STAGES.len() };
        let mut path: Vec<&'static str> = STAGES[..reached].to_vec();
        if reached > 2 && dice.chance(0.1) {
            // Some fall back a stage and come again.
            path.insert(reached - 1, STAGES[reached - 1]);
            path.insert(reached, STAGES[reached - 2]);
        }
        let mut times: Vec<f64> = path.iter().skip(1).map(|_| dice.between(0.05, 0.95)).collect();
        times.sort_by(f64::total_cmp);
        times.insert(0, 0.0);
        let length = (deal.closes_at.0 - deal.created_at.0) as f64;
        for (stage, part) in path.into_iter().zip(times) {
            let entered_at = second(Time(deal.created_at.0 + (length * part) as i64));
            if entered_at < end {
                world.stages.push(Stage { deal: index, stage, entered_at });
                deal.stage = stage;
            }
        }
        let last = match deal.outcome {
            Outcome::Open => continue,
            Outcome::Won => "Closed Won",
            Outcome::Lost => "Closed Lost",
        };
        world.stages.push(Stage { deal: index, stage: last, entered_at: deal.closes_at });
        deal.stage = last;
    }
}
