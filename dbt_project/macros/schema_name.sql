{#- A model's schema is the one its folder says, without the target's in front: ref('user_metrics') is agg.user_metrics. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
