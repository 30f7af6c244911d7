// Reads everything that a sync would land, with HubSpot's own client, and prints it as JSON.
//
// Usage: node hubspot.mjs ADDRESS TOKEN
import { Client } from '@hubspot/api-client'

const [basePath, accessToken] = process.argv.slice(2)
const client = new Client({ accessToken, basePath })

const all = async (kind, properties) => {
  const found = await client.crm[kind].getAll(100, undefined, properties)
  return Object.fromEntries(found.map(({ id, properties }) => [id, properties]))
}

const companies = await all('companies', ['name', 'domain'])
const contacts = await all('contacts', ['email', 'firstname', 'lastname'])
const deals = await all('deals', ['dealname', 'amount', 'deal_currency_code', 'dealstage', 'hubspot_owner_id'])
const owners = (await client.crm.owners.ownersApi.getPage()).results
const searched = await client.crm.deals.searchApi.doSearch({
  filterGroups: [{ filters: [{ propertyName: 'hs_is_closed_won', operator: 'EQ', value: 'true' }] }],
  properties: ['amount'], limit: 100, sorts: ['hs_object_id'],
})
const history = await client.crm.deals.batchApi.read({
  inputs: Object.keys(deals).slice(0, 50).map((id) => ({ id })), properties: [], propertiesWithHistory: ['dealstage'],
})
console.log(JSON.stringify({
  companies, contacts, deals,
  owners: Object.fromEntries(owners.map(({ id, firstName, lastName }) => [id, `${firstName} ${lastName}`])),
  won: searched.total,
  stages: Object.fromEntries(history.results.map(({ id, propertiesWithHistory }) =>
    [id, propertiesWithHistory.dealstage.map(({ value, timestamp }) => [value, new Date(timestamp).toISOString()])])),
}))
