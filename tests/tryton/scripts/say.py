"""Prints what Tryton itself says, as JSON, through proteus: the truth that a sync is compared with.

Usage: say.py CONFIG DATABASE

Parties that were replaced are followed to their replacement; the company's own party and its employees are left out.
"""
import json
import os
import sys

config_file, database = sys.argv[1:]
os.environ['TRYTOND_CONFIG'] = config_file
os.environ['TZ'] = 'UTC'

from proteus import Model, config

client = config.set_trytond(database=database, config_file=config_file)


def everything(name):
    with client.set_context(active_test=False):
        return Model.get(name).find([], order=[('id', 'ASC')])


def stamp(value):
    return value.isoformat(timespec='microseconds') + 'Z' if value else None


def survivor(party):
    while party and party.replaced_by:
        party = party.replaced_by
    return party


with client.set_context(active_test=False):
    own = {company.party.id for company in everything('company.company')}
    own |= {employee.party.id for employee in everything('company.employee')}
    relations = everything('party.relation.all')
    people_ids = {relation.from_.id for relation in relations}
    accounts, people = [], []
    parties = everything('party.party')
    replaced_by = {}
    for party in parties:
        if party.replaced_by:
            replaced_by.setdefault(survivor(party).id, []).append(party)
    for party in parties:
        if party.id in own or party.replaced_by:
            continue
        values = {
            kind: [it.value for it in party.contact_mechanisms if it.type == kind] for kind in ('email', 'website')}
        replaced = replaced_by.get(party.id, [])
        merged = {it.id for it in replaced} | {party.id}
        if merged & people_ids:
            people.append({
                'id': str(party.id), 'name': party.name, 'emails': sorted(values['email']),
                'created_at': min(stamp(it.create_date) for it in [party, *replaced])})
        else:
            accounts.append({
                'id': str(party.id), 'name': party.name,
                'website': values['website'][0] if values['website'] else None})
    roles = sorted({
        (str(survivor(it.from_).id), str(survivor(it.to).id), it.type.name) for it in relations})

    deals, stages = [], []
    Opportunity = Model.get('sale.opportunity')
    for deal in everything('sale.opportunity'):
        deals.append({
            'id': str(deal.id), 'name': deal.description,
            'account': str(survivor(deal.party).id) if deal.party else None,
            'amount': str(deal.amount) if deal.amount is not None else None,
            'currency': deal.currency.code, 'state': deal.state,
            'start_date': deal.start_date.isoformat(), 'created': stamp(deal.create_date),
            'end_date': deal.end_date.isoformat() if deal.end_date else None,
            'owner': deal.employee.party.name if deal.employee else None,
            'contact': str(survivor(deal.contact.party).id) if deal.contact else None})
        before = None
        for at, _, _ in sorted(Opportunity._proxy.history_revisions([deal.id], client.context)):
            then, = Opportunity._proxy.read([deal.id], ['state'], {**client.context, '_datetime': at})
            if then['state'] != before:
                stages.append({'deal': str(deal.id), 'stage': then['state'], 'at': stamp(at)})
                before = then['state']

# Tryton offers no client access to single clicks: this is its own model layer.
from trytond.pool import Pool
from trytond.transaction import Transaction

touches = []
with Transaction().start(database, 1, readonly=True, context={'active_test': False}):
    for access in Pool().get('web.shortened_url.access').search([], order=[('id', 'ASC')]):
        activity = access.url.record
        touches.append({
            'id': str(access.id), 'at': stamp(access.create_date),
            'kind': access.url.method.split('|on_')[1],
            'party': str(activity.record.record.id),
            'campaign': activity.activity.marketing_campaign.name
            if activity.activity.marketing_campaign else None})

json.dump({
    'accounts': accounts, 'people': people,
    'roles': [{'person': person, 'account': account, 'role': role} for person, account, role in roles],
    'deals': deals, 'stages': stages, 'touches': touches}, sys.stdout, indent=1)
