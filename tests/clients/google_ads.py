"""Judges a Google Ads server by Google's own types: every question's fields and every answer must be theirs.

Usage: google_ads.py ADDRESS VERSION < QUESTIONS

QUESTIONS is a list of {"path", "token", "login", "body"}. Prints how many rows were judged.
"""
import importlib
import json
import re
import sys
import urllib.request

from google.protobuf import json_format

address, version = sys.argv[1:]
service = importlib.import_module(f'google.ads.googleads.{version}.services.types.google_ads_service')
Question = service.SearchGoogleAdsRequest.pb()
Response = service.SearchGoogleAdsResponse.pb()
Row = service.GoogleAdsRow.pb().DESCRIPTOR


def judge_fields(query):
    """Every selected field is one of Google's."""
    for field in re.search(r'SELECT (.*?) FROM', query).group(1).split(','):
        message = Row
        for name in field.strip().split('.'):
            # Proto-plus writes words that Python keeps for itself with a line after them.
            found = message.fields_by_name.get(name) or message.fields_by_name.get(name + '_')
            assert found is not None, f'{field.strip()}: Google has no {name} in {message.name}'
            message = found.message_type


rows = 0
for question in json.load(sys.stdin):
    request = urllib.request.Request(
        address + question['path'], data=question['body'].encode(), method='POST',
        headers={'Authorization': question['token'], 'login-customer-id': question['login'] or '',
                 'Content-Type': 'application/json'})
    # Fields that Google's types do not have are errors, here and in the answer.
    judge_fields(json_format.Parse(question['body'], Question()).query)
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    parsed = json_format.Parse(text, Response())
    rows += len(parsed.results)
print(rows)
