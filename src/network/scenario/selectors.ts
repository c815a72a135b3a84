import type { EndpointSelector } from './schema.js';

const NAMESPACE_KEY = 'io.kubernetes.pod.namespace';

/** Label key without the source prefix that Cilium's selectors may carry (`k8s:app`, `any:app`). */
function plainKey(key: string): string {
  return key.replace(/^(k8s|any)[:.]/, '');
}

/** Whether labels satisfy a selector; an empty selector takes everything. */
export function selects(selector: EndpointSelector, labels: Readonly<Record<string, string>>): boolean {
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => labels[plainKey(key)] === value) &&
    selector.matchExpressions.every((expression) => satisfies(expression, labels[plainKey(expression.key)]))
  );
}

function satisfies(
  { operator, values }: EndpointSelector['matchExpressions'][number],
  value: string | undefined,
): boolean {
  const isListed = value !== undefined && values.includes(value);
  switch (operator) {
    case 'In':
      return isListed;
    case 'NotIn':
      return !isListed;
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** A Pod's labels as selectors see them: with its namespace. */
export function selectableLabels(pod: {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}): Record<string, string> {
  return { ...pod.labels, [NAMESPACE_KEY]: pod.namespace };
}

/** Whether a selector says itself which namespaces it means. */
export function namesNamespace(selector: EndpointSelector): boolean {
  const keys = [...Object.keys(selector.matchLabels), ...selector.matchExpressions.map(({ key }) => key)];
  return keys.some((key) => plainKey(key) === NAMESPACE_KEY);
}
