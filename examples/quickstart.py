"""The README's first example: asks a running Brisk (script/server) what it makes of a sentence.

    python examples/quickstart.py

Needs `pip install requests`. BRISK_URL is where Brisk runs, HF_TOKEN a token where one is needed.
"""
import os

import requests

url = os.environ.get("BRISK_URL", "http://127.0.0.1:8080") + "/models/brisk/tiny-sentiment"
headers = {"Authorization": "Bearer " + os.environ.get("HF_TOKEN", "hf_anything")}

response = requests.post(url, headers=headers, json={"inputs": "A warm, funny and wonderful film."})
print(response.json())
