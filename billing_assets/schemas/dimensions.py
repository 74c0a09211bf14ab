"""The catalog as dimensions, for those who query the lake. Grain of each: its id (or key) and catalog_version."""

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
    customer_position: int = optional("Position in the catalog")
    bill_to: str = optional("Name, address, tax ids and email, JSON")


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
    pricing_group_key: str = optional("Names as a JSON array")
    presentation_group_key: str = optional("Names as a JSON array")
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
    group_keys: str = optional("Group keys as a JSON array of arrays")
    definition: str = required("The metric as written in the catalog, JSON")


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
    pricing_group_values: str = required("Pricing group as canonical JSON")
    starting_at: Timestamp = required("First instant")
    ending_before: Timestamp = optional("End, exclusive, resolved by the next rate of the key; null where open")
    entitled: bool = required("False: usage is neither priced nor shown")
    rate_type: str = required("FLAT, TIERED, VOLUME, PACKAGE, PERCENTAGE, ...")
    price: Decimal12 = optional("Price of a unit or package; null for tiers")
    definition: str = required("The rate as written in the catalog, JSON")


class Contracts(Dimension):
    """Contracts. Grain: (contract_id, catalog_version)."""

    contract_id: str = required("Contract")
    customer_id: str = required("Customer")
    rate_card_id: str = optional("Rate card, aliases resolved")
    currency: str = optional("ISO 4217 code of the card")
    starting_at: Timestamp = required("First instant")
    ending_before: Timestamp = optional("End, exclusive; null where open")
    billing_frequency: str = optional("WEEKLY, MONTHLY, QUARTERLY, SEMI_ANNUAL, ANNUAL")
    anchor_at: Timestamp = optional("Instant that billing periods are counted from")
    net_payment_terms_days: int = optional("Days from issue to due")
    contract_position: int = optional("Position in the catalog")
    definition: str = required("The contract as written in the catalog, JSON")


class Overrides(Dimension):
    """Overrides of contracts. Grain: (override_id, catalog_version)."""

    override_id: str = required("Override")
    contract_id: str = required("Contract")
    starting_at: Timestamp = required("First instant")
    ending_before: Timestamp = optional("End, exclusive; null where open")
    override_type: str = optional("OVERWRITE, MULTIPLIER, TIERED; null where only entitlement changes")
    multiplier: Decimal12 = optional("Multiplier")
    priority: int = optional("Priority of an EXPLICIT contract")
    entitled: bool = optional("Entitlement; null where it does not say")
    definition: str = required("The override as written in the catalog, JSON")


class Commits(Dimension):
    """Commits and credits, recurring ones as written. Grain: (balance_id, catalog_version)."""

    balance_id: str = required("Id of the commit or credit")
    balance_type: str = required("PREPAID, POSTPAID, CREDIT")
    is_recurring: bool = required("True where each recurrence is a balance of its own")
    customer_id: str = optional("Customer")
    contract_id: str = optional("Contract; null at customer level")
    product_id: str = optional("Product that it is sold as")
    priority: int = optional("Drawdown priority")
    definition: str = required("As written in the catalog, JSON")


class Subscriptions(Dimension):
    """Subscriptions. Grain: (subscription_id, catalog_version)."""

    subscription_id: str = required("Subscription")
    contract_id: str = required("Contract")
    product_id: str = required("Product")
    billing_frequency: str = required("WEEKLY, MONTHLY, QUARTERLY, SEMI_ANNUAL, ANNUAL")
    starting_at: Timestamp = optional("First instant")
    ending_before: Timestamp = optional("End, exclusive; null where open")
    definition: str = required("As written in the catalog, JSON")
