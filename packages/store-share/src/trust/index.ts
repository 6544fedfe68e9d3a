export { judge, type Question } from './judge.js'
export {
  type Builder,
  type ContentAddressRule,
  checkPolicy,
  type PathRule,
  type PinnedKey,
  POLICY_LIMITS,
  type PolicyError,
  type PolicyProblem,
  type TrustPolicy,
} from './policy.js'
export { formatPolicy, parsePolicy } from './policy-json.js'
export { formatVerdict, type TableOptions } from './table.js'
export {
  admittedValue,
  type Claim,
  type ClaimedValue,
  type Outcome,
  type PathValue,
  type PathVerdict,
  type Remark,
  type Verdict,
} from './verdict.js'
