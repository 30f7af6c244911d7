"""Plays events into a Tryton database through proteus, Tryton's own client library.

Usage: play.py CONFIG DATABASE PORT SMTP_PORT KEYS_FILE < EVENTS.json

The events are a JSON list in order of time; README.md of this crate says what they can be.
An event with `at` happens at that time: this process's clock is moved there, and Tryton runs inside this process,
so that what Tryton stamps (creation, history revisions, clicks) is what it would have stamped then.
An event without `at` happens now.
Mails go out over SMTP to a server in this process; opens and clicks fetch the links in the mails over HTTP.
KEYS_FILE keeps the Tryton id of every key between plays.
"""
import contextlib
import datetime as dt
import json
import os
import re
import sys
import threading
import urllib.request
from decimal import Decimal

config_file, database, port, smtp_port, keys_file = sys.argv[1:]
os.environ['TRYTOND_CONFIG'] = config_file
os.environ['TZ'] = 'UTC'

import time_machine
from aiosmtpd.controller import Controller
from proteus import Model, Wizard, config
from werkzeug.serving import make_server

client = config.set_trytond(database=database, config_file=config_file)

from trytond.application import app

keys = {}
if os.path.exists(keys_file):
    with open(keys_file) as file:
        keys = json.load(file)


class Inbox:
    """Receives mails: recipient -> links of the last mail, the tracking picture last."""

    links = {}

    async def handle_DATA(self, server, session, envelope):
        import email
        import email.policy
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        html = mail.get_body(('html',)).get_content()
        for recipient in envelope.rcpt_tos:
            self.links[recipient] = (
                re.findall(r'<a[^>]*href="([^"]+)"', html),
                re.findall(r'<img[^>]*src="([^"]+)"', html))
        return '250 OK'


class Stay(urllib.request.HTTPRedirectHandler):
    """A click counts when Tryton answers it; where it leads to is none of ours."""

    def redirect_request(self, *args, **kwargs):
        return None


browser = urllib.request.build_opener(Stay)


def fetch(url):
    try:
        browser.open(url).read()
    except urllib.error.HTTPError as error:
        if error.code not in (301, 302):
            raise


def model(name):
    return Model.get(name)


def record(name, key):
    kind, number = keys[key]
    assert kind == name, f'{key} is a {kind}, not a {name}'
    return model(name)(number)


def remember(key, instance):
    keys[key] = [instance.__class__.__name__, instance.id]


def named(name, value):
    """Finds or makes a campaign, medium, source or relation type by name."""
    Named = model(name)
    found = Named.find([('name', '=', value)])
    if found:
        return found[0]
    instance = Named(name=value)
    instance.save()
    return instance


def date(text):
    return dt.date.fromisoformat(text) if text else None


def company():
    return model('company.company').find([], limit=1)[0]


def contact(party, kind, value):
    mechanism = party.contact_mechanisms.new()
    mechanism.type = kind
    mechanism.value = value


def account(event):
    party = model('party.party')(name=event['name'])
    if event.get('website'):
        contact(party, 'website', event['website'])
    if event.get('email'):
        contact(party, 'email', event['email'])
    party.save()
    remember(event['key'], party)


def person(event):
    party = model('party.party')(name=event['name'])
    if event.get('email'):
        contact(party, 'email', event['email'])
    party.save()
    remember(event['key'], party)


def employee(event):
    party = model('party.party')(name=event['name'])
    party.save()
    rep = model('company.employee')(party=party, company=company())
    rep.save()
    remember(event['key'], rep)


def relation(event):
    link = model('party.relation.all')(
        from_=record('party.party', event['person']),
        to=record('party.party', event['account']),
        type=named('party.relation.type', event['role']),
        start_date=date(event.get('from')),
        end_date=date(event.get('until')))
    link.save()
    if event.get('key'):
        remember(event['key'], link)


def deal(event):
    party = record('party.party', event['account'])
    opportunity = model('sale.opportunity')()
    opportunity.company = company()
    opportunity.party = party
    opportunity.description = event['name']
    if event.get('currency'):
        opportunity.currency, = model('currency.currency').find([('code', '=', event['currency'])])
    if event.get('amount') is not None:
        opportunity.amount = Decimal(event['amount'])
    if event.get('owner'):
        opportunity.employee = record('company.employee', event['owner'])
    if event.get('contact'):
        opportunity.contact = record('party.party', event['contact']).contact_mechanisms[0]
    if event.get('start'):
        opportunity.start_date = date(event['start'])
    for field in ('campaign', 'medium', 'source'):
        if event.get(field):
            setattr(opportunity, f'marketing_{field}', named(f'marketing.{field}', event[field]))
    opportunity.address = party.addresses[0] if party.addresses else None
    opportunity.payment_term, = model('account.invoice.payment_term').find([], limit=1)
    line = opportunity.lines.new()
    line.product, = model('product.product').find([], limit=1)
    line.quantity = 1
    opportunity.save()
    remember(event['key'], opportunity)


def stage(event):
    """Moves a deal on: lead, opportunity, converted, won (its sale is confirmed), lost, cancelled."""
    opportunity = record('sale.opportunity', event['deal'])
    to = event['stage']
    if to == 'won':
        sale, = opportunity.sales
        # Tryton makes a sale's value the deal's amount; here the price follows the deal.
        line, = sale.lines
        line.unit_price = opportunity.amount
        sale.save()
        sale.click('quote')
        sale.click('confirm')
    elif to == 'converted':
        opportunity.click('convert')
        sale, = model('sale.sale').find([('origin', '=', f'sale.opportunity,{opportunity.id}')])
        line, = sale.lines
        line.unit_price = opportunity.amount
        sale.save()
    elif to == 'lost':
        opportunity.lost_reason = event.get('reason')
        opportunity.click('lost')
    else:
        opportunity.click({'cancelled': 'cancel'}.get(to, to))


def amount(event):
    opportunity = record('sale.opportunity', event['deal'])
    opportunity.amount = Decimal(event['amount'])
    opportunity.save()


def mail(event):
    """Sends one mailing to people by Tryton's marketing automation."""
    ids = [record('party.party', key).id for key in event['to']]
    scenario = model('marketing.automation.scenario')(
        name=event['name'], model='party.party', domain=json.dumps([['id', 'in', ids]]))
    scenario.save()
    activity = model('marketing.automation.activity')(
        name=event['name'], parent=scenario, action='send_email',
        email_title=event.get('subject', event['name']), email_from='crm@example.com',
        email_template='<html><body><p>Hello</p>%s</body></html>' % ''.join(
            f'<a href="{link}">{link}</a>' for link in event.get('links', ['https://www.example.com/'])))
    for field in ('campaign', 'medium', 'source'):
        if event.get(field):
            setattr(activity, f'marketing_{field}', named(f'marketing.{field}', event[field]))
    activity.save()
    scenario.click('run')
    Inbox.links = {}
    for method in ('marketing.automation.scenario|trigger', 'marketing.automation.record.activity|process'):
        job, = model('ir.cron').find([('method', '=', method)])
        job.click('run_once')
    scenario.click('stop')
    for key in event['to']:
        party = record('party.party', key)
        address = next(it.value for it in party.contact_mechanisms if it.type == 'email')
        links, pictures = Inbox.links[address]
        keys[f'{event["key"]}/{key}'] = ['links', {'click': links, 'open': pictures}]


def opened(event):
    for url in keys[f'{event["mail"]}/{event["person"]}'][1]['open']:
        fetch(url)


def clicked(event):
    fetch(keys[f'{event["mail"]}/{event["person"]}'][1]['click'][event.get('link', 0)])


def rename(event):
    kind, number = keys[event['key']]
    instance = model(kind)(number)
    if kind == 'sale.opportunity':
        instance.description = event['name']
    else:
        instance.name = event['name']
    instance.save()


def readdress(event):
    """Changes the first contact mechanism of a party, which leaves the party's own stamp alone."""
    kind, number = keys[event['key']]
    mechanism = model(kind)(number).contact_mechanisms[0]
    mechanism.value = event['value']
    mechanism.save()


def merge(event):
    """Replaces one party by another with Tryton's own wizard."""
    wizard = Wizard('party.replace', [record('party.party', event['loser'])])
    wizard.form.destination = record('party.party', event['winner'])
    client.skip_warning = True
    wizard.execute('replace')


def delete(event):
    kind, number = keys.pop(event['key'])
    model(kind)(number).delete()


DO = {
    'account': account, 'person': person, 'employee': employee, 'relation': relation, 'deal': deal,
    'stage': stage, 'amount': amount, 'mail': mail, 'open': opened, 'click': clicked, 'rename': rename,
    'readdress': readdress, 'merge': merge, 'delete': delete,
}


def main():
    events = json.load(sys.stdin)
    server = make_server('127.0.0.1', int(port), app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    inbox = Controller(Inbox(), hostname='127.0.0.1', port=int(smtp_port))
    inbox.start()
    for event in events:
        at = event.get('at')
        # Tryton cannot read a history revision that falls on a whole second on SQLite.
        clock = time_machine.travel(
            dt.datetime.fromisoformat(at).replace(microsecond=123456), tick=True) if at else contextlib.nullcontext()
        with clock:
            try:
                DO[event['do']](event)
            except Exception as error:
                raise SystemExit(f'{json.dumps(event)}: {type(error).__name__}: {error}') from error
    inbox.stop()
    server.shutdown()
    with open(keys_file, 'w') as file:
        json.dump(keys, file)


main()
