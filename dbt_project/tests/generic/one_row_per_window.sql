{#- Fails with every window and combination of dimensions that has more than one row; null is a value like any other. -#}
{% test one_row_per_window(model, dimensions=[]) %}
select window_start, count(*) as rows{% for d in dimensions %}, "{{ d }}"{% endfor %}

from {{ model }}
group by window_start{% for d in dimensions %}, "{{ d }}"{% endfor %}

having count(*) > 1
{% endtest %}
