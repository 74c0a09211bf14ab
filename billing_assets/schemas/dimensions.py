"""The catalog as dimensions, for those who query the lake; the columns are those of `catalog.dimension_frames`."""

from __future__ import annotations

from billing_assets.schemas.fields import Decimal12, Table, Timestamp, optional, required


class Dimension(Table):
    """What every dimension has."""

    catalog_version: str = required("Catalog that the row is of")
    is_current: bool = required("True in the last applied catalog")


class Customers(Dimension):
    """Customers. Grain: (customer_id, catalog_version)."""

    customer_id: str = required("Customer")
    name: str = optional("Name")
    email: str = optional("Where invoices go")
    address: str = optional("Address, JSON")
    tax_ids: str = optional("Tax ids, JSON")


class CustomerAliases(Dimension):
    """References that stand for a customer, its own id among them. Grain: (customer_ref, catalog_version)."""

    customer_ref: str = required("Reference as events send it")
    customer_id: str = required("Customer")


class Products(Dimension):
    """Products. Grain: (product_id, catalog_version)."""

    product_id: str = required("Product")
    name: str = required("Name")
    product_type: str = required("USAGE, FIXED, SUBSCRIPTION, COMPOSITE, PRO_SERVICE")
    billable_metric_id: str = optional("Metric of a USAGE product")
    pricing_keys: str = optional("Names of the pricing key as a JSON array")
    presentation_keys: str = optional("Names of the presentation key as a JSON array")
    tags: str = optional("Tags as a JSON array")
    conversion_factor: Decimal12 = optional("Factor of the quantity conversion")
    conversion_operation: str = optional("MULTIPLY or DIVIDE")
    unit: str = optional("Name of the converted unit")
    rounding_method: str = optional("ROUND_UP, ROUND_DOWN, ROUND_HALF_UP; null for none")
    rounding_unit: Decimal12 = optional("Multiple that quantities are rounded to")
    tax_code: str = optional("Passed through")


class BillableMetrics(Dimension):
    """Billable metrics. Grain: (billable_metric_id, catalog_version)."""

    billable_metric_id: str = required("Metric")
    name: str = optional("Name")
    aggregation_type: str = required("COUNT, SUM, MAX, MIN, LATEST, UNIQUE, AVG, ...")
    aggregation_key: str = optional("Property that is aggregated")
    event_type_filter: str = optional("Types of event, JSON")
    property_filters: str = optional("Conditions on properties, JSON")
    group_keys: str = optional("Group keys as a JSON array of arrays")
    sql: str = optional("Query of an SQL metric")


class RateCards(Dimension):
    """Rate cards. Grain: (rate_card_id, catalog_version)."""

    rate_card_id: str = required("Rate card")
    name: str = optional("Name")
    currency: str = required("ISO 4217 code")
    aliases: str = optional("Aliases with their schedules, JSON")


class Rates(Dimension):
    """Rates of the cards. Grain: (rate_id, catalog_version)."""

    rate_id: str = required("Stable, readable id of the rate row")
    rate_card_id: str = required("Rate card")
    product_id: str = required("Product")
    pricing_group_values: str = optional("Pricing group as canonical JSON")
    billing_frequency: str = optional("Of a subscription's rate")
    starting_at: Timestamp = required("First instant")
    ending_before: Timestamp = optional("End, exclusive, resolved by the next rate of the key; null where open")
    entitled: bool = required("False: usage is neither priced nor shown")
    rate_type: str = required("FLAT, TIERED, VOLUME, PACKAGE, PERCENTAGE, ...")
    price: Decimal12 = optional("Price of a unit or package; null for tiers")
    price_json: str = optional("The whole price as written, JSON")
    minimum: Decimal12 = optional("Minimum of a full period")
    maximum: Decimal12 = optional("Maximum of a full period")


class Contracts(Dimension):
    """Contracts. Grain: (contract_id, catalog_version)."""

    contract_id: str = required("Contract")
    name: str = optional("Name")
    customer_id: str = required("Customer")
    rate_card_id: str = optional("Rate card, aliases resolved")
    currency: str = optional("ISO 4217 code of the card")
    starting_at: Timestamp = required("First instant")
    ending_before: Timestamp = optional("End, exclusive; null where open")
    frequency: str = optional("WEEKLY, MONTHLY, QUARTERLY, SEMI_ANNUAL, ANNUAL")
    period_anchor: str = optional("What billing periods are counted from")
    net_payment_terms_days: int = optional("Days from issue to due")
    late_usage: str = optional("What happens to usage that arrives after its invoice is final")
    skip_zero_invoices: bool = optional("True: no invoice over nothing")
    usage_filter: str = optional("Usage filters with their dates, JSON")
    billing_provider: str = optional("Passed through")


class Overrides(Dimension):
    """Overrides of contracts. Grain: (override_id, catalog_version)."""

    override_id: str = required("Override")
    contract_id: str = required("Contract")
    override_type: str = optional("OVERWRITE, MULTIPLIER, TIERED; null where only entitlement changes")
    starting_at: Timestamp = optional("First instant")
    ending_before: Timestamp = optional("End, exclusive; null where open")
    multiplier: Decimal12 = optional("Multiplier")
    rate_type: str = optional("Of an OVERWRITE's price")
    price: Decimal12 = optional("Of an OVERWRITE's price")
    price_json: str = optional("An OVERWRITE's whole price as written, JSON")
    entitled: bool = optional("Entitlement; null where it does not say")
    priority: int = optional("Priority in an EXPLICIT contract")
    target: str = optional("LIST_RATE or COMMIT_RATE")
    override_specifiers: str = optional("What it applies to, JSON")
    applicable_product_tags: str = optional("Tags, JSON")
    tiers: str = optional("Ranges of a TIERED override, JSON")


class Commits(Dimension):
    """Commits and credits, recurring ones as written. Grain: (commit_id, catalog_version)."""

    commit_id: str = required("Commit or credit")
    commit_type: str = required("PREPAID, POSTPAID, CREDIT")
    is_recurring: bool = required("True where each recurrence is a balance of its own")
    customer_id: str = optional("Customer")
    contract_id: str = optional("Contract; null at customer level")
    product_id: str = optional("Product that it is sold as")
    name: str = optional("Name")
    priority: Decimal12 = optional("Drawdown priority")
    access_type: str = optional("SPEND or QUANTITY")
    rate_type: str = optional("LIST_RATE or COMMIT_RATE")
    access_amount: Decimal12 = optional("What can be drawn in all")
    invoice_amount: Decimal12 = optional("What is charged for it in all")
    starting_at: Timestamp = optional("First access")
    ending_before: Timestamp = optional("End of the last access, exclusive")
    terms: str = optional("As written, JSON")


class Subscriptions(Dimension):
    """Subscriptions. Grain: (subscription_id, catalog_version)."""

    subscription_id: str = required("Subscription")
    customer_id: str = optional("Customer")
    contract_id: str = required("Contract")
    product_id: str = required("Product")
    billing_frequency: str = required("WEEKLY, MONTHLY, QUARTERLY, SEMI_ANNUAL, ANNUAL")
    collection_schedule: str = optional("ADVANCE or ARREARS")
    quantity_management_mode: str = optional("QUANTITY_ONLY or SEAT_BASED")
    initial_quantity: Decimal12 = optional("Quantity at the start")
    starting_at: Timestamp = optional("First instant")
    ending_before: Timestamp = optional("End, exclusive; null where open")
    terms: str = optional("As written, JSON")
