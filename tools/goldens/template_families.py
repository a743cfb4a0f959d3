"""Chat templates in the manner of many model families, written for this project: the formats are those
that the models were trained on, the words and the ways of writing are ours. template.py renders them."""

FAMILIES = {
    "chatml": """\
{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "llama2": """\
{% if messages[0]['role'] == 'system' %}
    {%- set rest = messages[1:] %}
    {%- set system = '<<SYS>>\\n' + messages[0]['content'].strip() + '\\n<</SYS>>\\n\\n' %}
{% else %}
    {%- set rest = messages %}
    {%- set system = '' %}
{% endif %}
{%- for message in rest -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception('Roles must alternate: user, assistant, user, assistant ...') }}
    {%- endif -%}
    {%- set content = system + message['content'] if loop.first else message['content'] -%}
    {%- if message['role'] == 'user' -%}
        {{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' -%}
        {{ ' ' + content.strip() + ' ' + eos_token }}
    {%- endif -%}
{%- endfor -%}""",
    "llama3": """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") %}
{%- endif %}
{%- set ns = namespace(tools_in_user=tools is not none and tools|length > 0) %}
{%- if messages[0].role == 'system' %}
    {%- set system_text = messages[0].content|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_text = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools %}{{- "Environment: ipython\\n" }}{% endif %}
{{- "Today is " + date_string + ".\\n\\n" + system_text + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if message.role == 'user' and ns.tools_in_user %}
        {%- set ns.tools_in_user = false %}
        {{- "<|start_header_id|>user<|end_header_id|>\\n\\nAnswer with JSON if a function helps:\\n\\n" }}
        {%- for tool in tools %}{{- tool | tojson(indent=4) + "\\n\\n" }}{%- endfor %}
        {{- message.content | trim + "<|eot_id|>" }}
    {%- elif message.tool_calls is defined and message.tool_calls %}
        {%- if message.tool_calls|length != 1 %}{{- raise_exception("One call at a time is all I can make.") }}{%- endif %}
        {%- set call = message.tool_calls[0].function if message.tool_calls[0].function is defined else message.tool_calls[0] %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' ~ call.name ~ '", "parameters": ' ~ call.arguments | tojson ~ "}<|eot_id|>" }}
    {%- elif message.role in ['tool', 'ipython'] %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {{- message.content | tojson if message.content is mapping or message.content is iterable else message.content }}
        {{- "<|eot_id|>" }}
    {%- else %}
        {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content|trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}""",
    "mistral-v1": """\
{{ bos_token }}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('After the optional system message, roles must alternate') }}{% endif %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}{{ m['content'] + eos_token + ' ' }}{% endif %}{% endfor %}""",
    "mistral-v3": """\
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function if tool.function is defined else tool %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" + (", " if not loop.last else "]") }}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS] [" }}
        {%- for call in message.tool_calls %}
            {%- set out = (call.function or call)|tojson %}
            {{- out[:-1] }}
            {%- if not call.id is defined or call.id|length != 9 %}
                {{- raise_exception("Ids of calls have 9 characters!") }}
            {%- endif %}
            {{- ', "id": "' + call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
    {%- elif message["role"] in ["tool_results", "tool"] %}
        {{- '[TOOL_RESULTS] {"content": ' + message.content|string + ", " }}
        {{- '"call_id": "' + message.tool_call_id|default("none") + '"}[/TOOL_RESULTS]' }}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with an initial optional system message!") }}
    {%- endif %}
{%- endfor %}""",
    "gemma": """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\\n'}}{% endif %}""",
    "gemma3": """\
{{ bos_token }}
{%- set first = '' -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set messages = messages[1:] -%}
{%- endif -%}
{%- for message in messages -%}
    {%- set role = "model" if message.role == "assistant" else message.role -%}
    {{ '<start_of_turn>' + role + '\\n' + (first if loop.first) }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}
            {%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("Invalid content type") }}
    {%- endif -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}""",
    "phi3": """\
{% for message in messages %}{% if message['role'] in ('system', 'user') and message['content'] %}{{'<|' ~ message['role'] ~ '|>\\n' ~ message['content'] ~ '<|end|>\\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\\n' ~ message['content'] ~ '<|end|>\\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}""",
    "phi4": """\
{% for message in messages %}{% if message['role'] == 'system' and 'tools' in message and message['tools'] is not none %}{{ '<|system|>' + message['content'] + '<|tool|>' + message['tools'] + '<|/tool|>' + '<|end|>' }}{% else %}{{ '<|' ~ message['role'] ~ '|>' ~ message['content'] ~ '<|end|>' }}{% endif %}{% endfor %}{{ '<|assistant|>' if add_generation_prompt else eos_token }}""",
    "qwen2.5": """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {{- messages[0].content if messages[0].role == 'system' else 'You help.' }}
    {{- "\\n\\n# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n\\n<tool_call>\\n{\\"name\\": <function-name>, \\"arguments\\": <args-json-object>}\\n</tool_call><|im_end|>\\n" }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
            {{- tool_call.arguments if tool_call.arguments is string else tool_call.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' ~ message.content ~ '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}""",
    "qwen3-thinking": """\
{%- set ns = namespace(searching=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string and not (message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content if message.content is string else '' %}
    {%- if message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or reasoning) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}""",
    "deepseek-r1": """\
{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system='', is_first_sp=true) %}{%- for message in messages %}{%- if message['role'] == 'system' %}{%- if ns.is_first_sp %}{% set ns.system = ns.system + message['content'] %}{% set ns.is_first_sp = false %}{%- else %}{% set ns.system = ns.system + '\\n\\n' + message['content'] %}{%- endif %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system }}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{ '<|User|>' ~ message['content'] }}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{%- if ns.is_tool %}{{ '<|tool_outputs_end|>' + message['content'] + '<|end|>' }}{%- set ns.is_tool = false -%}{%- else %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{ '<|Assistant|>' + content + '<|end|>' }}{%- endif %}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{%- if ns.is_output_first %}{{ '<|tool_outputs_begin|>' ~ message['content'] }}{%- set ns.is_output_first = false %}{%- else %}{{ '\\n' ~ message['content'] }}{%- endif %}{%- endif %}{%- endfor -%}{% if add_generation_prompt and not ns.is_tool %}{{ '<|Assistant|><think>\\n' }}{% endif %}""",
    "command-r": """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% elif false == true %}{% set loop_messages = messages %}{% set system_message = 'You are Command.' %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% if system_message != false %}{{ '<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>' + system_message + '<|END_OF_TURN_TOKEN|>' }}{% endif %}{% for message in loop_messages %}{% set content = message['content'] %}{% if message['role'] == 'user' %}{{ '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' + content.strip() + '<|END_OF_TURN_TOKEN|>' }}{% elif message['role'] == 'assistant' %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' + content.strip() + '<|END_OF_TURN_TOKEN|>' }}{% endif %}{% endfor %}{% if documents %}{{ '<results>' }}{% for doc in documents %}{{ '\\nDocument: ' }}{{ loop.index0 }}{% for key, value in doc.items() %}{{ '\\n' ~ key|title ~ ': ' ~ value }}{% endfor %}{% endfor %}{{ '</results>' }}{% endif %}{% if add_generation_prompt %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}""",
    "command-r-tools": """\
{%- macro json_to_python(type) -%}
    {%- set types = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"} -%}
    {%- if types[type] is defined -%}{{ types[type] }}
    {%- elif type is string -%}{{ "List" if type == "array" else "Dict" if type == "object" else "Any" }}
    {%- else -%}{{ "Union[" + type | map("string") | join(",") + "]" }}{%- endif -%}
{%- endmacro -%}
{%- macro tool_parser(tools) -%}
    {%- for tool in tools -%}
        {%- set tool = tool.function if tool.type == 'function' else tool -%}
        {{ '\\n```python\\ndef ' + tool.name + '(' }}
        {%- for name, fields in tool.parameters.properties.items() -%}
            {%- if loop.index > 1 -%}, {% endif -%}
            {{ name + ": " }}
            {%- if not name in (tool.parameters.required or []) -%}{{ "Optional[" + json_to_python(fields.type) + "] = None" }}
            {%- else -%}{{ json_to_python(fields.type) }}{%- endif -%}
        {%- endfor -%}
        {{ ') -> List[Dict]:\\n    """' + tool.description | trim + '"""\\n    pass\\n```' }}
    {%- endfor -%}
{%- endmacro -%}
{{ bos_token }}{% if tools %}{{ tool_parser(tools) | indent(2) }}{% endif %}
{%- for message in messages %}
{{ message.role | upper ~ ': ' ~ (message.content or '') }}
{%- if message.tool_calls %}
Action: [{% for call in message.tool_calls %}{{ (call.function or call) | tojson(indent=2) | indent(4) }}{{ "" if loop.last else "," }}{% endfor %}]
{%- endif %}
{%- endfor %}""",
    "zephyr": """\
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "vicuna": """\
{%- if messages[0].role == 'system' -%}{{ messages[0].content ~ ' ' }}{%- endif -%}
{%- for m in messages if m.role != 'system' -%}
{{ {'user': 'USER: ', 'assistant': 'ASSISTANT: '}.get(m.role, m.role ~ ': ') }}{{ m.content }}{{ ' ' if m.role == 'user' else eos_token }}
{%- endfor -%}
{{ 'ASSISTANT:' if add_generation_prompt }}""",
    "alpaca": """\
{% set names = {'user': 'Instruction', 'assistant': 'Response', 'tool': 'Input'} -%}
{% for message in messages %}
  {%- if message.role == 'system' %}{{ message.content }}

  {% else %}
### {{ names[message.role] if message.role in names else message.role|capitalize }}:
{{ message.content }}

  {%- endif %}
{% endfor %}
{%- if add_generation_prompt %}
### Response:
{% endif %}""",
    "falcon": """\
{% for message in messages %}{% if not loop.first %}{{ '\\n' }}{% endif %}{{ (message['role'] | capitalize | replace('Assistant', 'Falcon')) ~ ': ' ~ (message['content'] | replace('\\r\\n', '\\n') | replace('\\n\\n', '\\n')) }}{% endfor %}{% if add_generation_prompt %}{{ '\\nFalcon:' }}{% endif %}""",
    "olmo": """\
{{ bos_token }}{% for message in messages -%}
{%- if message['role'] == 'system' %}{{ '<|system|>\\n' + message['content'] + '\\n' }}
{%- elif message['role'] == 'user' %}{{ '<|user|>\\n' + message['content'] + '\\n' }}
{%- elif message['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>\\n'  + message['content'] + eos_token + '\\n' }}{% else %}{{ '<|assistant|>\\n'  + message['content'] + eos_token }}{% endif %}{% endif %}
{%- if loop.last and add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}
{%- endfor %}""",
    "granite": """\
{%- if messages[0]['role'] == 'system' %}
  {%- set system_message, loop_messages = messages[0]['content'], messages[1:] %}
{%- else %}
  {%- set system_message = "Knowledge Cutoff Date: April 2024.\\nToday's Date: " + strftime_now('%B %d, %Y') + ".\\nYou are Granite." %}
  {%- set loop_messages = messages %}
{%- endif %}
{{- '<|start_of_role|>system<|end_of_role|>' + system_message + '<|end_of_text|>\\n' }}
{%- if tools %}{{- '<|start_of_role|>available_tools<|end_of_role|>' }}{{- tools | tojson(indent=4) }}{{- '<|end_of_text|>\\n' }}{%- endif %}
{%- if documents %}
  {{- '<|start_of_role|>documents<|end_of_role|>' }}
  {%- for document in documents %}{{- 'Document ' + loop.index0 | string + '\\n' + document['text'] }}{%- if not loop.last %}{{- '\\n\\n' }}{% endif %}{%- endfor %}
  {{- '<|end_of_text|>\\n' }}
{%- endif %}
{%- for message in loop_messages %}
  {{- '<|start_of_role|>' + message['role'] + '<|end_of_role|>' + (message['content'] or '') + '<|end_of_text|>\\n' }}
  {%- if loop.last and add_generation_prompt %}
    {{- '<|start_of_role|>assistant' }}{%- if controls %}{{- ' ' + controls | tojson() }}{%- endif %}{{- '<|end_of_role|>' }}
  {%- endif %}
{%- endfor %}""",
    "smollm": """\
{% set first = messages | first %}{% if first['role'] != 'system' %}{{ '<|im_start|>system\\nYou are SmolLM.<|im_end|>\\n' }}{% endif %}{% for message in messages %}{{ '<|im_start|>%s\\n%s<|im_end|>\\n' % (message['role'], message['content']) }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "hermes-tools": """\
{%- macro as_type(p) -%}
{%- set basic = {"string": "str", "number": "float", "integer": "int", "boolean": "bool"} -%}
{%- if p.type in ("string", "number", "integer", "boolean") -%}{{ basic[p.type] }}
{%- elif p.type == "array" -%}{{ "list[" ~ as_type(p['items']) ~ "]" }}
{%- elif p.type == "object" -%}{{ "dict" }}
{%- else -%}Any{%- endif -%}
{%- endmacro -%}
{{ bos_token }}<|im_start|>system
{% if tools %}<tools> {% for tool in tools %}
{%- set f = tool.function | default(tool) -%}
{{ {"type": "function", "function": f} | tojson | replace('"type"', '"kind"') }}
{%- for name, p in f.parameters.properties | dictsort %} {{ name }}={{ as_type(p) }}{% endfor %}
{% endfor %}</tools>{% else %}No tools.{% endif %}<|im_end|>
{% for message in messages -%}
    {%- if message.role == 'tool' %}<|im_start|>tool
<tool_response>{{ message.name|d('?') }}: {{ message.content }}</tool_response><|im_end|>
    {% else %}<|im_start|>{{ message.role }}
{{ message.content if message.content is not none }}
        {%- for call in message.tool_calls or [] %}
<tool_call>{{ (call.function or call) | tojson(sort_keys=true) }}</tool_call>
        {%- endfor %}<|im_end|>
    {% endif -%}
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}""",
    "functionary": """\
{%- macro schema_type(param) -%}
    {%- if param.enum %}{{ param.enum | map('tojson') | join(' | ') }}
    {%- elif param.type == 'integer' or param.type == 'number' %}number
    {%- elif param.type == 'array' %}{{ schema_type(param['items']) }}[]
    {%- elif param.type is iterable and param.type is not string %}{{ param.type | join(' | ') }}
    {%- else %}{{ param.type }}{%- endif %}
{%- endmacro -%}
{{ bos_token }}<|start_header_id|>system<|end_header_id|>

namespace functions {
{% for tool in tools or [] %}
{% set f = tool.function or tool %}
// {{ f.description }}
type {{ f.name }} = (_: {
    {% for name, param in f.parameters.properties.items() %}
{% if param.description %}
// {{ param.description }}{% if param.default is defined %} Default={{ param.default|tojson }}.{% endif %}

{% endif %}
{{ name }}{{ '?' if name not in (f.parameters.required or []) }}: {{ schema_type(param) }},
    {% endfor %}
}) => any;

{% endfor %}
} // namespace functions<|eot_id|>
{%- for message in messages %}
<|start_header_id|>{{ message.role }}<|end_header_id|>

{{ message.content or '' }}{% for call in message.tool_calls or [] %}<function={{ (call.function or call).name }}>{{ (call.function or call).arguments }}</function>{% endfor %}<|eot_id|>
{%- endfor %}""",
    "nemotron": """\
{% set bos = '<extra_id_' -%}
{{ bos ~ 0 ~ '>System' }}
{% for message in messages %}{% if message['role'] == 'system' %}
{{ message['content'].strip() }}
{% if tools is defined and tools %}{% for tool in tools %}<tool> {{ tool|tojson }} </tool>{{ '\\n' if loop.nextitem is defined }}{% endfor %}{% endif %}
{% else %}
{{ bos ~ 1 ~ '>' ~ message['role'].title() }}
{{ message['content'].strip() if message['content'] is string else message['content']|length }}
{% endif %}{% endfor %}
{% if add_generation_prompt %}{{ bos ~ 1 ~ '>Assistant\\n' }}{% endif %}""",
    "internlm": """\
{{ bos_token }}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + (message['content']|default('', true)) + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""",
    "yi": """\
{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}{% endif %}{% if system_message is defined %}{{ system_message }}{% endif %}{% for message in messages %}{% set content = message['content'] %}{% if message['role'] == 'user' %}{{ '<|im_start|>user\\n' + content + '<|im_end|>\\n<|im_start|>assistant\\n' }}{% elif message['role'] == 'assistant' %}{{ content + '<|im_end|>' + '\\n' }}{% endif %}{% endfor %}""",
    "stablelm": """\
{% for message in messages %}{% generation %}{{'<|' + message['role'] + '|>' + '\\n' + message['content'] + '<|endoftext|>' + '\\n'}}{% endgeneration %}{% endfor %}{% if add_generation_prompt %}{{'<|assistant|>\\n'}}{% endif %}""",
    "mpt": """\
{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% elif not 'system' in messages | map(attribute='role') %}{% set loop_messages = messages %}{% set system_message = 'A conversation.' %}{% endif %}{% if not loop_messages is defined %}{{ raise_exception('The system message must come first') }}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 %}{{ '<|im_start|>system\\n' + system_message.strip() }}{% endif %}{{ '<|im_end|>\\n<|im_start|>' + message['role'] + '\\n' + message['content'] | string }}{% if loop.last %}{{ '<|im_end|>' if not add_generation_prompt else '<|im_end|>\\n<|im_start|>assistant\\n' }}{% endif %}{% endfor %}""",
    "solar": """\
{%- set heads = ['### System:\\n', '### User:\\n', '### Assistant:\\n'] -%}
{%- for message in messages -%}
    {%- set i = ['system', 'user', 'assistant'].index(message.role) -%}
    {{ heads[i] ~ message.content }}
    {%- if not loop.last or add_generation_prompt %}{{ '\\n\\n' }}{% endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}{{ heads[-1] }}{% endif -%}""",
    "glm4": """\
[gMASK]<sop>{% if tools %}<|system|>
# tools
{%- for tool in tools %}{% set f = tool.get('function', tool) %}

## {{ f.name }}

{{ f | tojson(indent=4, ensure_ascii=False) }}
{%- endfor %}{% endif %}
{%- for item in messages %}
{%- if item['role'] == 'assistant' and item.get('tool_calls') %}
{%- for call in item['tool_calls'] %}<|assistant|>{{ (call.function or call)['name'] }}
{{ (call.function or call)['arguments'] }}{% endfor %}
{%- else %}<|{{ {'tool': 'observation'}.get(item['role'], item['role']) }}|>
{% if item.content is string %}{{ item.content }}{% else %}{% for part in item.content or [] if part.type == 'text' %}{{ part.text }}{% if not loop.last %} {% endif %}{% endfor %}{% endif %}
{%- endif %}
{%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}""",
    "harmony": """\
{%- macro render_type(spec, required, level=0) -%}
    {%- if spec.type == "array" -%}
        {{- render_type(spec['items'], true, level + 1) if spec['items'] else "any" }}{{ "[]" }}
    {%- elif spec.type is defined and spec.type is iterable and spec.type is not string -%}
        {{- spec.type | join(" | ") }}
    {%- elif spec.enum -%}
        {{- '"' + spec.enum | join('" | "') + '"' }}
    {%- elif spec.type == "object" and spec.properties -%}
        {{- "{\\n" }}
        {%- for name, prop in spec.properties.items() -%}
            {{- "    " * (level + 1) + name ~ ("?" if not required else "") ~ ": " ~ render_type(prop, false, level + 1) }}
            {%- if not loop.last %}{{- ", " }}{%- endif -%}
        {%- endfor -%}
        {{- "\\n" + "    " * level + "}" }}
    {%- else -%}
        {{- spec.type or "any" }}
    {%- endif -%}
{%- endmacro -%}
{%- macro section(title, level) -%}
{{ "#" * level }} {{ title }}

{{ caller() }}
{% endmacro -%}
<|start|>system<|message|>{{ model_identity | default("You are a model.") }}
Today: {{ strftime_now("%Y-%m-%d") }}
Reasoning: {{ reasoning_effort if reasoning_effort is defined else "medium" }}

{% call section("Channels", 1) %}analysis, commentary, final.{% endcall %}<|end|>
{%- set first, rest = messages[0], messages[1:] %}
{%- if first.role not in ["system", "developer"] %}{% set first, rest = none, messages %}{% endif %}
{%- if first or tools %}<|start|>developer<|message|>{% if first %}# Instructions

{{ first.content }}{% endif %}
{%- for tool in tools or [] %}{% set f = tool.function or tool %}

// {{ f.description }}
type {{ f.name }} = (_: {{ render_type(f.parameters, f.parameters.required) }}) => any;
{%- endfor %}<|end|>{% endif %}
{%- set last_call = namespace(name=none) %}
{%- for message in rest -%}
    {%- if message.role == "assistant" -%}
        {%- if "tool_calls" in message -%}
            {%- set call = message.tool_calls[0] -%}
            {%- set call = call.function if call.function else call -%}
            {{- "<|start|>assistant to=functions." ~ call.name ~ "<|channel|>commentary json<|message|>" ~ call.arguments|tojson ~ "<|call|>" }}
            {%- set last_call.name = call.name -%}
        {%- elif message.thinking -%}
            {{- "<|start|>assistant<|channel|>analysis<|message|>" ~ message.thinking ~ "<|end|>" }}
        {%- else -%}
            {{- "<|start|>assistant<|channel|>final<|message|>" ~ message.content ~ ("<|return|>" if loop.last and not add_generation_prompt else "<|end|>") }}
            {%- set last_call.name = none -%}
        {%- endif -%}
    {%- elif message.role == "tool" -%}
        {%- if last_call.name is none -%}{{- raise_exception("A tool answers, but nobody asked it.") }}{%- endif -%}
        {{- "<|start|>functions." ~ last_call.name ~ " to=assistant<|channel|>commentary<|message|>" ~ message.content|tojson ~ "<|end|>" }}
    {%- elif message.role == "user" -%}
        {{- "<|start|>user<|message|>" ~ message.content ~ "<|end|>" }}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}""",
    "jamba": """\
{{- bos_token -}}
{%- macro handle_system(content) -%}{{- "<|system|> " + content.strip() -}}{%- endmacro -%}
{%- macro handle_user(content) -%}{{- "<|user|> " ~ content -}}{%- endmacro -%}
{%- macro handle_other(role, content, suffix="") -%}{{- "<|" ~ role ~ "|> " ~ content ~ suffix ~ kwargs.get('note', '') -}}{%- endmacro -%}
{%- set ns = namespace(n=0, seen=[]) -%}
{%- for message in messages -%}
    {%- if ns.n > 5 %}{% break %}{% endif -%}
    {%- set ns.n = ns.n + 1 -%}
    {%- if not message.content %}{% continue %}{% endif -%}
    {%- set ns.seen = ns.seen + [message.role] -%}
    {%- if message.role == 'system' -%}{{- handle_system(message.content) -}}
    {%- elif message.role == 'user' -%}{{- handle_user(message.content) -}}
    {%- else -%}{{- handle_other(message.role, content=message.content, suffix=eos_token, note='!') -}}{%- endif -%}
    {{- '\\n' -}}
{%- endfor -%}
{{- ns.seen | unique | join(',') ~ ' ' ~ ns.n -}}
{%- if add_generation_prompt %}{{- '<|assistant|> ' -}}{% endif -%}""",
    "exaone": """\
{% for message in messages %}{% if loop.first and message['role'] != 'system' %}{{ '[|system|][|endofturn|]\\n' }}{% endif %}{{ '[|' + message['role'] + '|]' + message['content'] }}{% if not message['role'] == 'user' %}{{ '[|endofturn|]' }}{% endif %}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '\\n[|assistant|]' }}{% endif %}""",
    "whitespace": """\
{#- A comment, then every way to keep and lose blank space -#}

  {%+ set a = 1 %}
  {%- set b -%}  block {{ a }}  {% endset %}
  {% filter upper|trim %}  filtered {{ b }} {% endfilter %}
  {% raw %}{{ not rendered }} {% still not %}{% endraw +%}
    {% with c = b, d = a -%} {{ c }}|{{ d }} {%- endwith %}
{% for row in messages|batch(2) %}
  {% for m in row %}{{ m.role }}{{ loop.cycle(':', ';') }}{% endfor %}

{% else %}
  none
{% endfor %}
{%- for key, group in messages|groupby('role') %} {{ key }}={{ group|length }}{% endfor %}
""",
}
