{#-
  What a query reads: the rows of a table as of one commit, as a view that the plugin makes before the query runs. Those
  of a stream are its clean rows, late ones too, back to where the query says that it looks.
-#}
{% macro rows_of(layer, name) -%}
{{ layer }}_{{ name }}_rows /* {% if layer == 'clean' %}{{ source(layer, name) }}{% else %}{{ ref(name) }}{% endif %} */
{%- endmacro %}

{#- The time at which the refresh began; of replays, how far they have come. -#}
{% macro present() -%}
make_timestamptz(getvariable('present'))
{%- endmacro %}
