// Visits some pages, as Matomo's own tracker for Node tells it.
//
// Usage: node matomo.mjs ADDRESS USER PAGE...
import MatomoTracker from 'matomo-tracker'

const [address, uid, ...pages] = process.argv.slice(2)
const tracker = new MatomoTracker(1, `${address}/matomo.php`)
const actions = pages.map((url) => ({ url, uid, action_name: url }))
const told = await new Promise((done, failed) => {
  tracker.on('error', failed)
  tracker.trackBulk(actions, done)
})
console.log(told)
