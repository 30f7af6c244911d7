"""Prepares a fresh Tryton database once: company, currencies, accounts, payment term, product, REST key.

Usage: setup.py CONFIG DATABASE KEY_FILE
"""
import sys
from decimal import Decimal

from proteus import Model, config

config_file, database, key_file = sys.argv[1:]
config.set_trytond(database=database, config_file=config_file)

from trytond.modules.account.tests.tools import create_chart, get_accounts
from trytond.modules.account_invoice.tests.tools import create_payment_term
from trytond.modules.company.tests.tools import create_company, get_company
from trytond.modules.currency.tests.tools import get_currency

for code in ('USD', 'EUR'):
    get_currency(code)
create_company(currency=get_currency('USD'))
company = get_company()
company.party.name = 'Northwind Cloud'
company.party.save()
create_chart(company)
accounts = get_accounts(company)
create_payment_term().save()

ProductCategory = Model.get('product.category')
category = ProductCategory(
    name='Services', accounting=True,
    account_revenue=accounts['revenue'], account_expense=accounts['expense'])
category.save()
unit, = Model.get('product.uom').find([('name', '=', 'Unit')])
Template = Model.get('product.template')
template = Template(
    name='Platform licence', default_uom=unit, type='service', salable=True,
    list_price=Decimal('1000'), account_category=category)
template.save()

admin, = Model.get('res.user').find([('login', '=', 'admin')])
Application = Model.get('res.user.application')
application = Application(user=admin, application='rest')
application.save()
with open(key_file, 'w') as file:
    file.write(application.key)
